"""Where a notebook's output holds the view of a widget, and where it is put away while the notebook is in a file."""

__all__ = ["AWAY", "VIEW"]

VIEW = "application/vnd.jupyter.widget-view+json"  # in an output's data: without its kernel a widget is an empty place
AWAY = "widget_view"  # in an output's metadata: {"view": ..., "process": ...}
