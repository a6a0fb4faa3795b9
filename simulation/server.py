"""A stand-in for Temporal in one process: workflows by id, and a client that reaches them instead of a server."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NoReturn
from uuid import uuid4

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.update.v1 import Outcome
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowInput,
    StartWorkflowUpdateWithStartInput,
    UpdateWithStartStartWorkflowInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.common import TypedSearchAttributes
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import ConnectConfig, ServiceClient

from plugin import WORKFLOWS, Resources, activities_of
from referrals.temporal.converter import with_payload_converter
from referrals.temporal.names import MESSAGES_QUEUE, QUEUE, REWARDS_QUEUE
from simulation.activities import ActivityRunner
from simulation.agenda import Agenda
from simulation.errors import SimulationError
from simulation.workflow_run import WorkflowRun, WorkflowStart

QUEUES = (QUEUE, REWARDS_QUEUE, MESSAGES_QUEUE)


class SimulatedServer:
    """Runs the engine's workflows on an agenda. Its `client` starts and updates them."""

    def __init__(self, agenda: Agenda, resources: Resources) -> None:
        self._agenda = agenda
        self._converter = with_payload_converter()
        self.client = Client(
            _NoConnection(ConnectConfig(target_host="simulation")),
            data_converter=self._converter,
            interceptors=[_ClientInterceptor(self)],
        )
        functions = [each for queue in QUEUES for each in activities_of(resources, queue)]
        self._activities = ActivityRunner(self.client, functions)
        definitions = [workflow._Definition.must_from_class(each) for each in WORKFLOWS]  # noqa: SLF001
        self._definitions = {str(definition.name): definition for definition in definitions}
        self._runs: dict[str, WorkflowRun] = {}

    async def start(self, start: WorkflowStart, delay: timedelta) -> None:
        """Start a workflow after the delay, or with its first update. Workflows of other applications are not run.

        Raises:
            WorkflowAlreadyStartedError: it runs already.
        """
        if start.workflow not in self._definitions:
            return
        if self._find_open(start.id):
            raise WorkflowAlreadyStartedError(start.id, start.workflow)
        self._create(start, delay)

    async def update_with_start(
        self, start: WorkflowStart, update: str, update_id: str, arguments: Sequence[Payload]
    ) -> Outcome:
        """Send an update to the workflow, which is started if it does not run."""
        run = self._find_open(start.id) or self._create(start)
        return await run.update(update, update_id, arguments)

    def encode(self, arguments: Sequence[Any]) -> Sequence[Payload]:
        return self._converter.payload_converter.to_payloads(arguments)

    def _find_open(self, workflow_id: str) -> WorkflowRun | None:
        run = self._runs.get(workflow_id)
        return run if run and run.is_open else None

    def _create(self, start: WorkflowStart, delay: timedelta = timedelta(0)) -> WorkflowRun:
        run = WorkflowRun(
            start,
            self._definitions[start.workflow],
            self._agenda,
            self._activities,
            self._converter,
            self._create,
        )
        self._runs[start.id] = run
        self._agenda.add(self._agenda.now() + delay, run.begin)
        return run


class _ClientInterceptor(Interceptor):
    def __init__(self, server: SimulatedServer) -> None:
        self._server = server

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Outbound(next, self._server)


class _Outbound(OutboundInterceptor):
    """Sends the client's calls to the simulated server."""

    def __init__(self, following: OutboundInterceptor, server: SimulatedServer) -> None:
        super().__init__(following)
        self._server = server

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        await self._server.start(self._start(input), input.start_delay or timedelta(0))
        return WorkflowHandle(self._server.client, input.id)

    async def start_update_with_start_workflow(
        self,
        input: StartWorkflowUpdateWithStartInput,
    ) -> WorkflowUpdateHandle[Any]:
        start, update = input.start_workflow_input, input.update_workflow_input
        update_id = update.update_id or str(uuid4())
        outcome = await self._server.update_with_start(
            self._start(start), update.update, update_id, self._server.encode(update.args)
        )
        return WorkflowUpdateHandle(
            self._server.client,
            update_id,
            start.id,
            result_type=update.ret_type,
            known_outcome=outcome,
        )

    def _start(
        self, start: StartWorkflowInput | UpdateWithStartStartWorkflowInput
    ) -> WorkflowStart:
        attributes = start.search_attributes
        assert isinstance(attributes, TypedSearchAttributes | None)
        return WorkflowStart(
            start.workflow,
            start.id,
            self._server.encode(start.args),
            attributes or TypedSearchAttributes.empty,
        )


class _NoConnection(ServiceClient):
    """Refuses every call: whatever reaches it is not simulated."""

    @property
    def worker_service_client(self) -> NoReturn:
        raise SimulationError("There is no Temporal server.")

    def update_rpc_metadata(self, metadata: Any) -> NoReturn:  # noqa: ARG002
        raise SimulationError("There is no Temporal server.")

    def update_api_key(self, api_key: str | None) -> NoReturn:  # noqa: ARG002
        raise SimulationError("There is no Temporal server.")

    async def _rpc_call(self, rpc: str, *_: Any, **__: Any) -> Any:
        raise SimulationError(f"There is no Temporal server for {rpc}.")
