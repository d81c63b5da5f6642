"""The sandbox: a simulated market behind the origins' wire formats.

``Market`` is the world (pure); ``SandboxApp`` serves it as an ASGI callable; ``run_sandbox``
serves it on a socket. Same seed and same market time, same bytes. See ``docs/sandbox.md``.
"""

from weedhounds.sandbox.app import SandboxApp
from weedhounds.sandbox.config import SandboxConfig
from weedhounds.sandbox.market import Market
from weedhounds.sandbox.server import run_sandbox

__all__ = ["Market", "SandboxApp", "SandboxConfig", "run_sandbox"]
