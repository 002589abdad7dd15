"""Samples of each kind of item that a conversation at OpenAI can hold, as they are written."""

from turnlog.items.json import Item

__all__ = ["ITEMS"]

_TOOL = {"type": "function", "name": "f", "parameters": {}, "strict": True}
_IMAGE = "data:image/png;base64,AAAA"
_LOGPROB = {"token": "Hi", "bytes": [72, 105], "logprob": -0.1, "top_logprobs": []}
_SAID = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": [_LOGPROB]}

_MESSAGES: dict[str, Item] = {
    "question": {"type": "message", "role": "user", "content": "Hello"},
    "image": {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_image", "detail": "low", "image_url": _IMAGE}],
    },
    "file": {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_file", "file_id": "file_1"}],
    },
    "answer": {
        "type": "message",
        "role": "assistant",
        "id": "msg_1",
        "status": "completed",
        "phase": "final_answer",
        "content": [_SAID],
    },
    "refusal": {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "refusal", "refusal": "No."}],
    },
    "reasoning": {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"},
    "compaction": {"type": "compaction", "encrypted_content": "sealed"},
    "configuration_update": {"type": "configuration_update"},
}

_CALLS: dict[str, Item] = {
    "function_call": {
        "type": "function_call",
        "call_id": "c1",
        "name": "f",
        "arguments": "{}",
        "async": True,
    },
    "function_call_output": {
        "type": "function_call_output",
        "call_id": "c1",
        "output": [{"type": "input_image", "detail": "low", "image_url": _IMAGE}],
    },
    "custom_tool_call": {"type": "custom_tool_call", "call_id": "c2", "name": "f", "input": "x"},
    "custom_tool_call_output": {"type": "custom_tool_call_output", "call_id": "c2", "output": "y"},
    "shell_call": {"type": "shell_call", "call_id": "c3", "action": {"commands": ["ls"]}},
    "shell_call_output": {
        "type": "shell_call_output",
        "call_id": "c3",
        "output": [{"outcome": {"type": "timeout"}, "stdout": "a", "stderr": ""}],
    },
    "apply_patch_call": {
        "type": "apply_patch_call",
        "call_id": "c4",
        "status": "completed",
        "operation": {"type": "delete_file", "path": "a.txt"},
    },
    "apply_patch_call_output": {
        "type": "apply_patch_call_output",
        "call_id": "c4",
        "status": "completed",
    },
    "local_shell_call": {
        "type": "local_shell_call",
        "id": "lsh_1",
        "call_id": "c5",
        "status": "completed",
        "action": {"type": "exec", "command": ["ls"], "env": {}},
    },
    "local_shell_call_output": {"type": "local_shell_call_output", "id": "c5", "output": "a"},
    "computer_call": {
        "type": "computer_call",
        "id": "cu_1",
        "call_id": "c6",
        "status": "completed",
        "pending_safety_checks": [],
        "action": {"type": "screenshot"},
    },
    "computer_call_output": {
        "type": "computer_call_output",
        "call_id": "c6",
        "output": {"type": "computer_screenshot", "image_url": _IMAGE},
    },
}

_HOSTED: dict[str, Item] = {
    "file_search_call": {
        "type": "file_search_call",
        "id": "fs_1",
        "status": "completed",
        "queries": ["oslo"],
        "results": [{"file_id": "file_1", "filename": "a.txt", "score": 0.5, "text": "Oslo"}],
    },
    "web_search_call": {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {
            "type": "search",
            "query": "oslo",
            "sources": [{"type": "url", "url": "https://example.org"}],
        },
    },
    "code_interpreter_call": {
        "type": "code_interpreter_call",
        "id": "ci_1",
        "status": "completed",
        "container_id": "cntr_1",
        "code": "print(1)",
        "outputs": [{"type": "logs", "logs": "1"}],
    },
    "code_interpreter_call without outputs": {
        "type": "code_interpreter_call",
        "id": "ci_2",
        "status": "completed",
        "container_id": "cntr_1",
        "code": None,
        "outputs": None,
    },
    "image_generation_call": {
        "type": "image_generation_call",
        "id": "ig_1",
        "status": "completed",
        "result": "AAAA",
    },
    "tool_search_call": {"type": "tool_search_call", "arguments": {"query": "f"}},
    "tool_search_output": {"type": "tool_search_output", "tools": [_TOOL]},
    "additional_tools": {"type": "additional_tools", "role": "developer", "tools": [_TOOL]},
    "mcp_list_tools": {
        "type": "mcp_list_tools",
        "id": "mcpl_1",
        "server_label": "s",
        "tools": [{"name": "f", "input_schema": {}}],
    },
    "mcp_approval_request": {
        "type": "mcp_approval_request",
        "id": "mcpr_1",
        "server_label": "s",
        "name": "f",
        "arguments": "{}",
    },
    "mcp_approval_response": {
        "type": "mcp_approval_response",
        "approval_request_id": "mcpr_1",
        "approve": True,
    },
    "mcp_call": {
        "type": "mcp_call",
        "id": "mcp_1",
        "server_label": "s",
        "name": "f",
        "arguments": "{}",
        "output": "1",
    },
    "program": {
        "type": "program",
        "id": "pr_1",
        "call_id": "c7",
        "code": "1",
        "fingerprint": "f",
    },
    "program_output": {
        "type": "program_output",
        "id": "po_1",
        "call_id": "c7",
        "result": "1",
        "status": "completed",
    },
}

ITEMS: dict[str, Item] = {**_MESSAGES, **_CALLS, **_HOSTED}
