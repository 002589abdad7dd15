"""Docstrings of tools, in every style."""

from typing import Literal

import pytest

from turnlog.agents.tools.docstrings import documented
from turnlog.agents.tools.tool import function_tool

pytestmark = pytest.mark.anyio


# What a model is told


def test_the_schema_comes_from_hints_and_docstring() -> None:
    @function_tool
    def weather(city: str, days: int = 3, unit: Literal["C", "F"] = "C") -> str:
        """Tell the weather.

        Any city will do.

        Args:
            city: Where it
                is: near or far.
            days (int): How many.
        """
        return city

    assert weather.name == "weather"
    assert weather.description == "Tell the weather.\n\nAny city will do."
    assert weather.definition.parameters == {
        "title": "weather_args",
        "type": "object",
        "properties": {
            "city": {"title": "City", "type": "string", "description": "Where it is: near or far."},
            "days": {"title": "Days", "type": "integer", "description": "How many."},
            "unit": {"title": "Unit", "type": "string", "enum": ["C", "F"]},
        },
        "required": ["city", "days", "unit"],
        "additionalProperties": False,
    }


GOOGLE = """Look.

Args:
    *what: A thing,
        seen: clearly.
    how (str, optional): Well.

Returns:
    where: nowhere.
"""

NUMPY = """Look.

Parameters
----------
what : str
    A thing,
    seen: clearly.
how : str, optional
    Well.

Returns
-------
where : str
    Nowhere.
"""

SPHINX = """Look.

:param what: A thing,
    seen: clearly.
:param str how: Well.
:returns: where: nowhere.
:rtype: str
"""


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX])
def test_docstrings_of_three_styles(docstring: str) -> None:
    said = {"what": "A thing, seen: clearly.", "how": "Well."}
    assert documented(docstring) == ("Look.", said)


@pytest.mark.parametrize("docstring", [None, "", "Look: well.", "Look.\n\nNote: it: rains."])
def test_a_docstring_without_sections_is_all_text(docstring: str | None) -> None:
    assert documented(docstring) == (docstring or "", {})


# Calls

ODD_DOCSTRINGS = {
    "deep": """Get it.

        Args:
                city: The city.
                unit: The unit.
        """,
    "nested types": """Get it.

        Args:
            city (Optional[dict(str, tuple(int))]): The city.
            unit (str): The unit.

        Important: only once.
        """,
    "numpy": """Get it.

        Parameters
        ----------
        city : str
            The city.
        unit : str
            The unit.

        See Also
        --------
        other : A function.
        """,
}


@pytest.mark.parametrize("style", ODD_DOCSTRINGS)
def test_odd_docstrings(style: str) -> None:
    said = documented(ODD_DOCSTRINGS[style])
    assert said.text == "Get it."
    assert said.parameters == {"city": "The city.", "unit": "The unit."}


def test_two_parameters_may_share_a_text() -> None:
    said = documented("Get it.\n\nParameters\n----------\ncity, unit : str\n    Both.")
    assert said.parameters == {"city": "Both.", "unit": "Both."}


def test_a_title_may_be_underlined() -> None:
    assert "Finds" in documented("Search docs\n-----------\nFinds anything.").text
