"""What every store does. A new method of the port gets its case in one of these parts."""

from tests.conformance.store_backlog_contract import BacklogContract, ForgetContract, RetryContract
from tests.conformance.store_claim_contract import (
    AliasContract,
    ClaimContract,
    DueContract,
    FindContract,
    HistoryContract,
    LaneContract,
)
from tests.conformance.store_extract_contract import (
    BackfillContract,
    ExtractContract,
    LeaseContract,
    RecordsContract,
    SettingsContract,
)
from tests.conformance.store_follow_contract import FollowContract
from tests.conformance.store_history_contract import OldHistoryContract
from tests.conformance.store_match_contract import MatchContract, MergedContract
from tests.conformance.store_outcome_contract import (
    DoneContract,
    JournalContract,
    RejectedContract,
    WithdrawnContract,
)
from tests.conformance.store_plan_contract import (
    ConflictContract,
    HoldContract,
    PlanContract,
    StatusContract,
    WaitContract,
)
from tests.conformance.store_request_contract import RequestContract
from tests.conformance.store_scope_contract import ScopeContract, SettledContract


class StoreContract(
    LeaseContract,
    SettingsContract,
    ExtractContract,
    BackfillContract,
    RecordsContract,
    ClaimContract,
    DueContract,
    AliasContract,
    FindContract,
    HistoryContract,
    OldHistoryContract,
    LaneContract,
    PlanContract,
    WaitContract,
    FollowContract,
    HoldContract,
    ConflictContract,
    StatusContract,
    BacklogContract,
    RetryContract,
    ForgetContract,
    JournalContract,
    DoneContract,
    RejectedContract,
    WithdrawnContract,
    MatchContract,
    MergedContract,
    RequestContract,
    ScopeContract,
    SettledContract,
):
    """A store adds its ``open_store``: a function that opens one more store on the same data, mappings declared."""
