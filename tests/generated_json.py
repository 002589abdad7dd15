"""Generated JSON values, for property tests."""

from hypothesis import strategies as st

__all__ = ["ITEMS", "VALUES"]

TEXTS = st.text(st.characters(), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
ITEMS = st.dictionaries(TEXTS, VALUES, max_size=4)
