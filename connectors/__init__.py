"""Get data: metrics, logs, spans, changes and alerts from where they live, as canonical tables.

This package knows sources; it knows nothing of analysis or Jupyter. Importing it defines names and does nothing else.
"""

__distribution__ = "incident-notebook-kit"
