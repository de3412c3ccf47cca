"""Publishing and unpublishing a duplicate detection rule: only a published one is looked at."""

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.duplicates import PUBLISHED, UNPUBLISHED
from tandem_emulators.dataverse.message import NAMESPACE, MessageCall, Outcome
from tandem_emulators.dataverse.values import parse_guid, render_time
from tandem_emulators.dataverse.writing import Writer

_PUBLISHING_JOB = 7
_SUCCEEDED = {"statecode": 3, "statuscode": 30}


class DuplicateRules:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def publish(self, call: MessageCall) -> Outcome:
        """Asynchronous in the service: the job that is answered is already done."""
        rule = self._set_state(call, call.record_id, PUBLISHED)
        now = render_time(self._writer.clock.now())
        job = {"name": f"Publish {rule}", "operationtype": _PUBLISHING_JOB, "completedon": now, **_SUCCEEDED}
        job_id = self._writer.new_id()
        self._writer.insert(call.caller, self._writer.schema.tables["asyncoperation"], job_id, job)
        context = f"{call.root}$metadata#{NAMESPACE}PublishDuplicateRuleResponse"
        return Outcome({"@odata.context": context, "JobId": job_id})

    def unpublish(self, call: MessageCall) -> Outcome:
        rule_id = parse_guid(str(call.body.get("DuplicateRuleId", "")))
        if rule_id is None:
            raise errors.invalid_argument("Required parameter 'DuplicateRuleId' is missing.")
        self._set_state(call, rule_id, UNPUBLISHED)
        return Outcome()

    def _set_state(self, call: MessageCall, rule_id: str, state: dict[str, int]) -> str:
        table = self._writer.schema.tables["duplicaterule"]
        self._writer.security.require(call.caller, table, "Write")
        row = self._writer.store.find(table, rule_id)
        if row is None:
            raise errors.does_not_exist(table.name, rule_id)
        self._writer.write(call.caller, table, row, dict(state))
        return str(row.get("name"))
