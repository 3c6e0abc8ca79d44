"""Where a training runs: `pick_device` names the processor, or says why it cannot be used."""

import torch

__all__ = ["pick_device"]


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """Return `device`, or for "auto" a GPU where there is one and the CPU otherwise.

    Raises: ValueError where another device is asked for than torch knows or this machine has.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device must be one that torch knows, such as 'cpu' or 'cuda', got {device!r}") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device must be one that this machine has, got {str(device)!r} without CUDA; use device='auto'"
        )
    if chosen.type not in ("cpu", "cuda"):
        try:
            torch.zeros(1, device=chosen).add(1).cpu()
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ValueError(
                f"device must be one that this machine computes on, got {str(device)!r}; use device='auto'"
            ) from error
    return chosen
