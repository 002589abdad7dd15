"""The promises of a store: one module and one test class for each."""

from turnlog.testing.promises.cancelling import Cancelling
from turnlog.testing.promises.closing import Closing
from turnlog.testing.promises.deletion import Deletion
from turnlog.testing.promises.expecting import Expecting
from turnlog.testing.promises.heads import Heads
from turnlog.testing.promises.keys import Keys
from turnlog.testing.promises.linear import Linear
from turnlog.testing.promises.listing import Listing
from turnlog.testing.promises.naming import Naming
from turnlog.testing.promises.order import Order
from turnlog.testing.promises.payloads import Payloads
from turnlog.testing.promises.removal import Removal
from turnlog.testing.promises.together import Together
from turnlog.testing.promises.windows import Windows

__all__ = [
    "Cancelling",
    "Closing",
    "Deletion",
    "Expecting",
    "Heads",
    "Keys",
    "Linear",
    "Listing",
    "Naming",
    "Order",
    "Payloads",
    "Removal",
    "Together",
    "Windows",
]
