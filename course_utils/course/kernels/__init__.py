"""Kernels forked from one process that has imported everything already: eleven notebooks in the memory of four.

    Jupyter server                    parent                              kernels
    extension (this file)             preload: torch, the panels, ...     child: a copy of the parent becomes
    provisioner: one for each   -->   parent: one thread, waits,    -->   an ipykernel; it shares the parent's
    kernel; handles: the parent       forks for each request,             memory until it writes to it
    and a kernel as processes         reports how each one ended

A kernel is an ordinary one, and the server's log says why, wherever a forked one cannot be had: another system than
Linux, another Python, a parent that does not answer, more than one thread in it. A parent whose packages were changed
on disk is replaced by a new one. Kernels live on without their parent, and end with the server.

A kernel that the system has ended, because memory ran out, says so in its notebook: see `out_of_memory`.

A forked kernel differs in this from another one: strings have the same hashes in all kernels of one parent, and the
variables that a library reads while it loads have the values that they had when the server was started (a kernel with
other values of these is an ordinary one).

Switched on by the server extension in this file: the folder `lab_settings/forked_kernels`, on JUPYTER_CONFIG_PATH,
enables it. Binder's start script does so, and a hub can; a laptop has memory for ordinary kernels.
"""

import os
import sys
from typing import Any

__all__: list[str] = []

PROVISIONER = "course-forked"  # its name among the entry points of this package


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Start the parent with the server; kernels come from it unless their kernelspec or a setting says otherwise."""
    from jupyter_client.provisioning.factory import KernelProvisionerFactory

    factory = KernelProvisionerFactory.instance(parent=server)
    if not (sys.platform.startswith("linux") and hasattr(os, "pidfd_open")):
        server.log.warning("Kernels are ordinary ones: forked kernels need Linux 5.3 or later.")
    elif PROVISIONER not in factory.get_provisioner_entries():
        server.log.warning(
            "Kernels are ordinary ones: course-utils was installed before it had forked ones; install it again."
        )
    elif factory.default_provisioner_name == "local-provisioner":
        from course_utils.course.kernels.provisioner import start_parent

        factory.default_provisioner_name = PROVISIONER
        start_parent(server.kernel_spec_manager.get_kernel_spec("python3"))
