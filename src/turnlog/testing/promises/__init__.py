"""The promises of a store: one module and one test class for each."""

from turnlog.testing.promises.atomicity import Atomicity
from turnlog.testing.promises.cancelling import Cancelling
from turnlog.testing.promises.checking import Checking
from turnlog.testing.promises.closing import Closing
from turnlog.testing.promises.combinations import Combinations
from turnlog.testing.promises.conditions import Conditions
from turnlog.testing.promises.cutting import Cutting
from turnlog.testing.promises.deletion import Deletion
from turnlog.testing.promises.existence import Existence
from turnlog.testing.promises.expecting import Expecting
from turnlog.testing.promises.forgetting import Forgetting
from turnlog.testing.promises.heads import Heads
from turnlog.testing.promises.identity import Identity
from turnlog.testing.promises.keys import Keys
from turnlog.testing.promises.linear import Linear
from turnlog.testing.promises.listing import Listing
from turnlog.testing.promises.naming import Naming
from turnlog.testing.promises.notes import Notes
from turnlog.testing.promises.order import Order
from turnlog.testing.promises.payloads import Payloads
from turnlog.testing.promises.removal import Removal
from turnlog.testing.promises.replacing import Replacing
from turnlog.testing.promises.retrying import Retrying
from turnlog.testing.promises.times import Times
from turnlog.testing.promises.together import Together
from turnlog.testing.promises.visibility import Visibility
from turnlog.testing.promises.windows import Windows

__all__ = [
    "Atomicity",
    "Cancelling",
    "Checking",
    "Closing",
    "Combinations",
    "Conditions",
    "Cutting",
    "Deletion",
    "Existence",
    "Expecting",
    "Forgetting",
    "Heads",
    "Identity",
    "Keys",
    "Linear",
    "Listing",
    "Naming",
    "Notes",
    "Order",
    "Payloads",
    "Removal",
    "Replacing",
    "Retrying",
    "Times",
    "Together",
    "Visibility",
    "Windows",
]
