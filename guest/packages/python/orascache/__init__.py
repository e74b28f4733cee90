"""What OrasCache decides, without a cluster: which objects a cache leads to, and what admission says about a request.

Every function is pure: objects in, objects out, nothing is read, written or sent. Behind them is the WebAssembly
component that the operator runs, which has no imports.
"""

from orascache._module import ApiObject, Module
from orascache._types import (
    Description,
    Event,
    Failure,
    Generated,
    InternalError,
    InvalidInput,
    Kind,
    ModuleError,
    Need,
    ObjectRef,
    Plan,
    Severity,
    Stopped,
    Verdict,
)

__all__ = [
    "ApiObject",
    "Description",
    "Event",
    "Failure",
    "Generated",
    "InternalError",
    "InvalidInput",
    "Kind",
    "Module",
    "ModuleError",
    "Need",
    "ObjectRef",
    "Plan",
    "Severity",
    "Stopped",
    "Verdict",
]
