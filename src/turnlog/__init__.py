"""Conversation memory for AI agents that never loses, duplicates, reorders or corrupts a turn.

    from turnlog import Agent, Runner, SQLiteSession

    session = SQLiteSession("user_123", "conversations.db")
    Runner.run_sync(Agent("Assistant"), "My name is Alice.", session=session)

Every name is imported when it is first used, so that `import turnlog` costs little and
loads no driver.
"""

from typing import TYPE_CHECKING

from turnlog.lazy import LazyNames

if TYPE_CHECKING:
    from turnlog.agents import Agent as Agent
    from turnlog.agents import AgentUpdatedStreamEvent as AgentUpdatedStreamEvent
    from turnlog.agents import FunctionTool as FunctionTool
    from turnlog.agents import Handoff as Handoff
    from turnlog.agents import HandoffCallItem as HandoffCallItem
    from turnlog.agents import HandoffOutputItem as HandoffOutputItem
    from turnlog.agents import MessageOutputItem as MessageOutputItem
    from turnlog.agents import Model as Model
    from turnlog.agents import ModelRequest as ModelRequest
    from turnlog.agents import ModelResponse as ModelResponse
    from turnlog.agents import ModelSettings as ModelSettings
    from turnlog.agents import OfflineModel as OfflineModel
    from turnlog.agents import OtherItem as OtherItem
    from turnlog.agents import RawResponsesStreamEvent as RawResponsesStreamEvent
    from turnlog.agents import ReasoningItem as ReasoningItem
    from turnlog.agents import RunConfig as RunConfig
    from turnlog.agents import RunContextWrapper as RunContextWrapper
    from turnlog.agents import RunItem as RunItem
    from turnlog.agents import RunItemStreamEvent as RunItemStreamEvent
    from turnlog.agents import Runner as Runner
    from turnlog.agents import RunResult as RunResult
    from turnlog.agents import RunResultStreaming as RunResultStreaming
    from turnlog.agents import StreamEvent as StreamEvent
    from turnlog.agents import TextDelta as TextDelta
    from turnlog.agents import ToolCallItem as ToolCallItem
    from turnlog.agents import ToolCallOutputItem as ToolCallOutputItem
    from turnlog.agents import Usage as Usage
    from turnlog.agents import function_tool as function_tool
    from turnlog.agents import handoff as handoff
    from turnlog.agents import recall_tool as recall_tool
    from turnlog.agents import summarised_by as summarised_by
    from turnlog.agents.models.openai.chat import (
        OpenAIChatCompletionsModel as OpenAIChatCompletionsModel,
    )
    from turnlog.agents.models.openai.client import AsyncOpenAI as AsyncOpenAI
    from turnlog.agents.models.openai.compacting import OpenAICompaction as OpenAICompaction
    from turnlog.agents.models.openai.responses import OpenAIResponsesModel as OpenAIResponsesModel
    from turnlog.conversation.about import About as About
    from turnlog.conversation.branches.diff import Difference as Difference
    from turnlog.conversation.branches.diff import DiffRow as DiffRow
    from turnlog.conversation.branches.diff import PlacedItem as PlacedItem
    from turnlog.conversation.branches.forks import Branch as Branch
    from turnlog.conversation.branches.positions import Position as Position
    from turnlog.conversation.compaction.policy import Compaction as Compaction
    from turnlog.conversation.compaction.summariser import Summarised as Summarised
    from turnlog.conversation.compaction.summariser import Summariser as Summariser
    from turnlog.conversation.reading.explain import Explanation as Explanation
    from turnlog.conversation.reading.explain import LeftOut as LeftOut
    from turnlog.conversation.reading.explain import Shown as Shown
    from turnlog.conversation.session import Session as Session
    from turnlog.conversation.session import SessionABC as SessionABC
    from turnlog.conversation.session import StoredSession as StoredSession
    from turnlog.conversation.settings import SessionSettings as SessionSettings
    from turnlog.conversation.summaries.outcome import Compacted as Compacted
    from turnlog.conversation.summaries.outcome import CompactionResult as CompactionResult
    from turnlog.conversation.turn_lists import TurnInfo as TurnInfo
    from turnlog.errors import AppendUncertain as AppendUncertain
    from turnlog.errors import BranchDeleted as BranchDeleted
    from turnlog.errors import BranchNameUsed as BranchNameUsed
    from turnlog.errors import Conflict as Conflict
    from turnlog.errors import FileReplaced as FileReplaced
    from turnlog.errors import IncompleteAppend as IncompleteAppend
    from turnlog.errors import InvalidItem as InvalidItem
    from turnlog.errors import KeyReused as KeyReused
    from turnlog.errors import LeaseLost as LeaseLost
    from turnlog.errors import MaxTurnsExceeded as MaxTurnsExceeded
    from turnlog.errors import ModelBehaviorError as ModelBehaviorError
    from turnlog.errors import NoSuchBranch as NoSuchBranch
    from turnlog.errors import NoSuchRecord as NoSuchRecord
    from turnlog.errors import NoSuchTurn as NoSuchTurn
    from turnlog.errors import NotSupported as NotSupported
    from turnlog.errors import PopUncertain as PopUncertain
    from turnlog.errors import RecordChanged as RecordChanged
    from turnlog.errors import SchemaError as SchemaError
    from turnlog.errors import SessionBusy as SessionBusy
    from turnlog.errors import SessionWaitTimeout as SessionWaitTimeout
    from turnlog.errors import StoreClosed as StoreClosed
    from turnlog.errors import StoreUnreachable as StoreUnreachable
    from turnlog.errors import TurnEnded as TurnEnded
    from turnlog.errors import TurnlogError as TurnlogError
    from turnlog.errors import Unreadable as Unreadable
    from turnlog.items.json import Item as Item
    from turnlog.items.json import TResponseInputItem as TResponseInputItem
    from turnlog.items.merge import SessionInputCallback as SessionInputCallback
    from turnlog.items.shortening import Shorten as Shorten
    from turnlog.layers.encrypted import Encrypted as Encrypted
    from turnlog.layers.encryption.keyring import Keyring as Keyring
    from turnlog.layers.encryption.passphrase import Passphrase as Passphrase
    from turnlog.layers.encryption.provider import KeyProvider as KeyProvider
    from turnlog.layers.encryption.provider import WrongKey as WrongKey
    from turnlog.records import Log as Log
    from turnlog.records import Record as Record
    from turnlog.records import Records as Records
    from turnlog.sessions import AdvancedSQLiteSession as AdvancedSQLiteSession
    from turnlog.sessions import AsyncSQLiteSession as AsyncSQLiteSession
    from turnlog.sessions import SQLiteSession as SQLiteSession
    from turnlog.sessions.dapr import DaprSession as DaprSession
    from turnlog.sessions.encrypt import EncryptSession as EncryptSession
    from turnlog.sessions.encrypted import EncryptedSession as EncryptedSession
    from turnlog.sessions.openai_compaction import (
        OpenAIResponsesCompactionSession as OpenAIResponsesCompactionSession,
    )
    from turnlog.sessions.openai_conversations import (
        OpenAIConversationsSession as OpenAIConversationsSession,
    )
    from turnlog.sessions.redis import RedisSession as RedisSession
    from turnlog.sessions.sqlalchemy import SQLAlchemySession as SQLAlchemySession
    from turnlog.store import Cursor as Cursor
    from turnlog.store import Head as Head
    from turnlog.store import Layer as Layer
    from turnlog.store import Store as Store
    from turnlog.urls import open_store as open_store

__version__ = "0.1.0"

_NAMES_BY_HOME = {
    "turnlog.agents": "Agent AgentUpdatedStreamEvent FunctionTool Handoff HandoffCallItem "
    "HandoffOutputItem MessageOutputItem Model ModelRequest ModelResponse "
    "ModelSettings OfflineModel OtherItem RawResponsesStreamEvent ReasoningItem RunConfig "
    "RunContextWrapper RunItem RunItemStreamEvent RunResult RunResultStreaming "
    "Runner StreamEvent TextDelta ToolCallItem ToolCallOutputItem Usage "
    "function_tool handoff recall_tool summarised_by",
    "turnlog.agents.models.openai.chat": "OpenAIChatCompletionsModel",
    "turnlog.agents.models.openai.client": "AsyncOpenAI",
    "turnlog.agents.models.openai.compacting": "OpenAICompaction",
    "turnlog.agents.models.openai.responses": "OpenAIResponsesModel",
    "turnlog.errors": "AppendUncertain BranchDeleted BranchNameUsed Conflict FileReplaced "
    "IncompleteAppend InvalidItem KeyReused LeaseLost MaxTurnsExceeded ModelBehaviorError "
    "NoSuchBranch NoSuchRecord NoSuchTurn NotSupported PopUncertain RecordChanged SchemaError "
    "SessionBusy SessionWaitTimeout StoreClosed StoreUnreachable TurnEnded TurnlogError Unreadable",
    "turnlog.items.json": "Item TResponseInputItem",
    "turnlog.items.merge": "SessionInputCallback",
    "turnlog.items.shortening": "Shorten",
    "turnlog.conversation.about": "About",
    "turnlog.conversation.summaries.outcome": "Compacted CompactionResult",
    "turnlog.conversation.compaction.policy": "Compaction",
    "turnlog.conversation.compaction.summariser": "Summarised Summariser",
    "turnlog.conversation.branches.forks": "Branch",
    "turnlog.conversation.branches.diff": "DiffRow Difference PlacedItem",
    "turnlog.conversation.branches.positions": "Position",
    "turnlog.conversation.reading.explain": "Explanation LeftOut Shown",
    "turnlog.conversation.session": "Session SessionABC StoredSession",
    "turnlog.conversation.turn_lists": "TurnInfo",
    "turnlog.sessions": "AdvancedSQLiteSession AsyncSQLiteSession SQLiteSession",
    "turnlog.sessions.dapr": "DaprSession",
    "turnlog.sessions.encrypt": "EncryptSession",
    "turnlog.sessions.encrypted": "EncryptedSession",
    "turnlog.sessions.openai_compaction": "OpenAIResponsesCompactionSession",
    "turnlog.sessions.openai_conversations": "OpenAIConversationsSession",
    "turnlog.sessions.redis": "RedisSession",
    "turnlog.sessions.sqlalchemy": "SQLAlchemySession",
    "turnlog.conversation.settings": "SessionSettings",
    "turnlog.layers.encrypted": "Encrypted",
    "turnlog.layers.encryption.keyring": "Keyring",
    "turnlog.layers.encryption.passphrase": "Passphrase",
    "turnlog.layers.encryption.provider": "KeyProvider WrongKey",
    "turnlog.records": "Log Record Records",
    "turnlog.store": "Cursor Head Layer Store",
    "turnlog.urls": "open_store",
}
_names = LazyNames(
    __name__, {name: home for home, names in _NAMES_BY_HOME.items() for name in names.split()}
)
if not TYPE_CHECKING:  # a type checker would take every misspelled name for one of these
    #: It also answers for `__all__`, which depends on the extras that are installed.
    __getattr__ = _names.resolve


def __dir__() -> list[str]:
    return sorted({*globals(), *_names.listed()})
