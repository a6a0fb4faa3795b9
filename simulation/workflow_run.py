"""One run of a workflow in a simulation: the engine's own workflow class, driven by the SDK without a server.

The SDK's worker gives a workflow *activations* (an update, a timer that fired, the result of an activity) and gets *commands*
(start a timer, run an activity, answer an update). This module carries the commands out on an agenda. It knows those that
the engine's workflows use, and fails on any other. Activations and commands are internal to the SDK.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio import workflow
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.update.v1 import Outcome
from temporalio.bridge.proto.activity_result import ActivityResolution
from temporalio.bridge.proto.workflow_activation import (
    DoUpdate,
    FireTimer,
    InitializeWorkflow,
    ResolveActivity,
    WorkflowActivation,
    WorkflowActivationJob,
)
from temporalio.bridge.proto.workflow_commands import (
    ContinueAsNewWorkflowExecution,
    StartTimer,
    UpdateResponse,
    WorkflowCommand,
)
from temporalio.common import Priority, TypedSearchAttributes
from temporalio.converter import DataConverter
from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
)

from referrals.temporal.names import QUEUE
from simulation.activities import ActivityRunner, Attempt, Command, Retry
from simulation.agenda import Agenda
from simulation.errors import SimulationError

IGNORED_COMMANDS = frozenset({"set_patch_marker", "upsert_workflow_search_attributes"})
"""Commands that only change what operators see, or a replay."""


@dataclass(frozen=True)
class WorkflowStart:
    """Start of a run; `continued_run_id` is the run before one that continues as new."""

    workflow: str
    id: str
    arguments: Sequence[Payload]
    search_attributes: TypedSearchAttributes
    continued_run_id: str | None = None


@dataclass
class WorkflowRun:
    """A run that is open until it completes. One that continues as new calls `continue_as` with the start of the next."""

    start: WorkflowStart
    definition: workflow._Definition
    agenda: Agenda
    activities: ActivityRunner
    converter: DataConverter
    continue_as: Callable[[WorkflowStart], object]
    id: str = field(default_factory=lambda: str(uuid4()))
    is_open: bool = True
    _instance: WorkflowInstance | None = None
    _timers: set[int] = field(default_factory=set)
    _outcomes: dict[str, Outcome] = field(default_factory=dict)

    async def begin(self) -> None:
        """Run the workflow up to its first wait; do nothing if it has begun."""
        if self._instance is None:
            await self._activate(*self._first_jobs())

    async def update(self, name: str, update_id: str, arguments: Sequence[Payload]) -> Outcome:
        """Send an update, which also begins the run, and return its outcome. A repeated id gets the first outcome."""
        if update_id not in self._outcomes:
            job = DoUpdate(
                id=update_id, protocol_instance_id=update_id, name=name, run_validator=True
            )
            job.input.extend(arguments)
            await self._activate(*self._first_jobs(), WorkflowActivationJob(do_update=job))
        if update_id not in self._outcomes:
            raise SimulationError(f"The update {name} of {self.start.id} has no outcome.")
        return self._outcomes[update_id]

    def _first_jobs(self) -> Iterator[WorkflowActivationJob]:
        """Create the workflow's instance, unless it exists, and yield the job that starts it."""
        if self._instance:
            return
        job = InitializeWorkflow(
            workflow_type=self.start.workflow,
            workflow_id=self.start.id,
            arguments=self.start.arguments,
        )
        self._instance = UnsandboxedWorkflowRunner().create_instance(self._details())
        yield WorkflowActivationJob(initialize_workflow=job)

    async def _activate(self, *jobs: WorkflowActivationJob) -> None:
        """Run the workflow, and the local activities for which it waits, until it waits for something else."""
        batches = deque([jobs])
        while batches and self.is_open:
            for command in await self._commands(*batches.popleft()):
                if job := await self._carry_out(command):
                    batches.append((job,))

    async def _commands(self, *jobs: WorkflowActivationJob) -> Sequence[WorkflowCommand]:
        assert self._instance
        timestamp = Timestamp()
        timestamp.FromDatetime(self.agenda.now())
        activation = WorkflowActivation(run_id=self.id, timestamp=timestamp, jobs=jobs)
        # In a thread, because the workflow has an event loop of its own.
        completion = await asyncio.to_thread(self._instance.activate, activation)
        if completion.HasField("failed"):
            raise SimulationError(f"{self.start.id}: {completion.failed.failure.message}")
        return completion.successful.commands

    async def _carry_out(self, command: WorkflowCommand) -> WorkflowActivationJob | None:
        """Carry the command out. Return the job that resolves it, if it is resolved at once."""
        match kind := command.WhichOneof("variant"):
            case "schedule_local_activity":
                return await self._run_local_activity(command.schedule_local_activity)
            case "schedule_activity":
                attempt = self._attempt(command.schedule_activity)
                self._attempt_later(attempt, timedelta(0))
            case "start_timer":
                self._start_timer(command.start_timer)
            case "cancel_timer":
                self._timers.discard(command.cancel_timer.seq)
            case "update_response":
                self._record_outcome(command.update_response)
            case "complete_workflow_execution":
                self.is_open = False
            case "continue_as_new_workflow_execution":
                self._continue_as_new(command.continue_as_new_workflow_execution)
            case _ if kind not in IGNORED_COMMANDS:
                raise SimulationError(f"{self.start.id}: unknown command {kind}")
        return None

    async def _run_local_activity(self, command: Command) -> WorkflowActivationJob:
        result = await self.activities.run(self._attempt(command), self.agenda.now())
        if isinstance(result, Retry):
            raise SimulationError(f"{command.activity_type}: {result.failure.message}")
        return _resolved(command.seq, result, is_local=True)

    def _attempt(self, command: Command) -> Attempt:
        return Attempt(self.start.id, command, self.agenda.now())

    def _attempt_later(self, attempt: Attempt, delay: timedelta) -> None:
        async def run() -> None:
            result = await self.activities.run(attempt, self.agenda.now())
            if isinstance(result, Retry):
                self._attempt_later(attempt.next(), result.delay)
            else:
                await self._activate(_resolved(attempt.command.seq, result))

        self.agenda.add(self.agenda.now() + delay, run)

    def _start_timer(self, timer: StartTimer) -> None:
        async def fire() -> None:
            if timer.seq in self._timers:
                self._timers.discard(timer.seq)
                await self._activate(WorkflowActivationJob(fire_timer=FireTimer(seq=timer.seq)))

        self._timers.add(timer.seq)
        self.agenda.add(self.agenda.now() + timer.start_to_fire_timeout.ToTimedelta(), fire)

    def _record_outcome(self, response: UpdateResponse) -> None:
        update_id = response.protocol_instance_id
        if response.HasField("completed"):
            payloads = Payloads(payloads=[response.completed])
            self._outcomes[update_id] = Outcome(success=payloads)
        elif response.HasField("rejected"):
            self._outcomes[update_id] = Outcome(failure=response.rejected)

    def _continue_as_new(self, command: ContinueAsNewWorkflowExecution) -> None:
        self.is_open = False
        arguments = list(command.arguments)
        self.continue_as(replace(self.start, arguments=arguments, continued_run_id=self.id))

    def _details(self) -> WorkflowInstanceDetails:
        return WorkflowInstanceDetails(
            payload_converter_factory=lambda: self.converter.payload_converter,
            failure_converter_class=self.converter.failure_converter_class,
            interceptor_classes=[],
            defn=self.definition,
            info=self._info(),
            randomness_seed=0,
            extern_functions={"__temporal_assert_local_activity_valid": lambda _: None},
            disable_eager_activity_execution=True,
            worker_level_failure_exception_types=[],
            patch_activation_callback=None,
            last_completion_result=Payloads(),
            last_failure=None,
        )

    def _info(self) -> workflow.Info:
        now = self.agenda.now()
        unused: dict[str, Any] = dict.fromkeys(
            ("cron_schedule", "execution_timeout", "parent", "root", "retry_policy", "run_timeout")
        )
        return workflow.Info(
            attempt=1,
            continued_run_id=self.start.continued_run_id,
            first_execution_run_id=self.id,
            headers={},
            namespace="default",
            original_execution_run_id=self.id,
            raw_memo={},
            run_id=self.id,
            search_attributes={},
            start_time=now,
            workflow_start_time=now,
            task_queue=QUEUE,
            task_timeout=timedelta(seconds=10),
            typed_search_attributes=self.start.search_attributes,
            workflow_id=self.start.id,
            workflow_type=self.start.workflow,
            priority=Priority.default,
            **unused,
        )


def _resolved(
    seq: int, result: ActivityResolution, *, is_local: bool = False
) -> WorkflowActivationJob:
    job = ResolveActivity(seq=seq, result=result, is_local=is_local)
    return WorkflowActivationJob(resolve_activity=job)
