"""Structure rows: what the OpenAI Agents SDK's AdvancedSQLiteSession keeps of each message.

That class sees a message only through its row in "message_structure", and at its next pop it
deletes every message of the session that has none. So the messages that plain sessions store
need such rows before that class changes anything: ours are given by our commits once the file
has that table. Until then a trigger waits in the file. That class adds a row to
"session_clear_generations" before its first change to a session, and then the trigger gives all
messages of the session their rows, as part of the same transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GENERATIONS", "GUARD", "STRUCTURE_ROWS", "guard_name"]

#: As that class makes it. It holds one number for each session that the class has changed.
GENERATIONS = """
    CREATE TABLE IF NOT EXISTS session_clear_generations (
        session_id TEXT PRIMARY KEY,
        generation INTEGER NOT NULL DEFAULT 0)
"""

# What the class calls the type of an item: its role if that is user or assistant, else its type.
_TYPE = """
    CASE WHEN role IN ('user', 'assistant') THEN role
    WHEN type IS NOT NULL AND type <> '' THEN type ELSE 'other' END
"""
# And the tool that an item belongs to.
_TOOL = """
    CASE
    WHEN type IN ('mcp_call', 'mcp_approval_request') AND label_type IS NOT NULL THEN
        CASE WHEN label <> '' AND tool <> '' THEN label || '.' || tool
        WHEN label <> '' THEN label WHEN tool <> '' THEN tool END
    WHEN type IN ('tool_search_call', 'tool_search_output') THEN 'tool_search'
    WHEN type IN ('computer_call', 'file_search_call', 'web_search_call',
        'code_interpreter_call', 'shell_call', 'apply_patch_call') THEN type
    WHEN tool = '' OR namespace IS NULL OR namespace IN ('', tool) THEN tool
    ELSE namespace || '.' || tool END
"""
# Its turn, which that class stores twice; only one of the columns has an index.
_TURN = """
    count(CASE WHEN role = 'user' THEN 1 END) OVER (ORDER BY id) + coalesce((
        SELECT max(user_turn_number) FROM message_structure
        WHERE session_id = {session} AND branch_id = 'main'), 0)
"""
# A message that is no JSON object has none of these; a blob is no JSON to these functions.
_PARTS = """
    SELECT id, session_id, created_at,
        json_extract(item, '$.role') AS role,
        CAST(json_extract(item, '$.type') AS TEXT) AS type,
        CAST(json_extract(item, '$.name') AS TEXT) AS tool,
        CAST(json_extract(item, '$.namespace') AS TEXT) AS namespace,
        json_type(item, '$.server_label') AS label_type,
        CAST(json_extract(item, '$.server_label') AS TEXT) AS label
    FROM (
        SELECT id, session_id, created_at, CASE WHEN typeof(message_data) = 'text'
            THEN CASE WHEN json_valid(message_data) THEN message_data END END AS item
        FROM {messages} WHERE session_id = {session} AND {lacking})
"""
#: Template of the statement that gives rows on the branch "main" to the messages of `session`
#: for which `lacking` holds, at the end of what is there, in the order of their ids.
STRUCTURE_ROWS = f"""
    INSERT INTO message_structure (session_id, message_id, branch_id, message_type,
        sequence_number, user_turn_number, branch_turn_number, tool_name, created_at)
    SELECT session_id, id, 'main', {_TYPE.strip()},
        row_number() OVER (ORDER BY id) + coalesce((
            SELECT max(sequence_number) FROM message_structure
            WHERE session_id = {{session}}), 0),
        {_TURN.strip()}, {_TURN.strip()},
        {_TOOL.strip()}, created_at
    FROM ({_PARTS.strip()}) ORDER BY id
"""

# The other tables need not be there when the trigger is made. One file may have several pairs of
# tables; that class owns one of them.
_GUARD = """
    CREATE TRIGGER IF NOT EXISTS {{guard}} AFTER INSERT ON session_clear_generations
    WHEN new.generation = 0 AND EXISTS (
        SELECT 1 FROM pragma_foreign_key_list('message_structure')
        WHERE "from" = 'message_id' AND "table" = {{messages_text}} COLLATE NOCASE)
    BEGIN
        {rows};
    END
"""
_NEW = {
    "session": "new.session_id",
    "lacking": "id NOT IN (SELECT message_id FROM message_structure "
    "WHERE session_id = new.session_id)",
}


class _Kept(dict[str, str]):
    """Leaves the names in braces that it doesn't know."""

    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


def _partly(template: str, fragments: Mapping[str, str]) -> str:
    return template.format_map(_Kept(fragments))


#: Templates of the statements that make the trigger, and the table that it waits on.
GUARD = (GENERATIONS, _GUARD.format(rows=_partly(STRUCTURE_ROWS, _NEW).strip()))


def guard_name(messages: str) -> str:
    """The name of the trigger for a table of messages."""
    return f"turnlog_{messages}_guard"
