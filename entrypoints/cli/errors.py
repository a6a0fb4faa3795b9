"""The error that ends a command with exit code 1."""

import json
import sys
from collections.abc import Sequence

from entrypoints.cli.output import JsonObject, printable
from referrals.errors import ReferralsError


class CommandError(ReferralsError):
    """A command failed: one sentence, then one line for each detail.

    With --json the `problem` is printed: the API's problem document, or a document of the same shape.
    """

    def __init__(
        self, message: str, details: Sequence[str] = (), problem: JsonObject | None = None
    ) -> None:
        super().__init__(message)
        self.details = details
        self.problem = problem

    def report(self, *, as_json: bool = False) -> None:
        """Print to standard error."""
        if as_json:
            errors = [{"message": line} for line in self.details]
            problem = self.problem or {"title": str(self), "errors": errors}
            print(json.dumps(problem), file=sys.stderr)
            return
        print(f"Error: {printable(self)}", file=sys.stderr)
        for line in self.details:
            print(f"  {printable(line)}", file=sys.stderr)


def describe_os_error(error: OSError) -> str:
    """Return the file and the reason of the operating system."""
    reason = error.strerror or "it cannot be read or written"
    return f"{error.filename}: {reason}." if error.filename else f"{reason}."
