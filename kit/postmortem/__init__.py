"""A blameless postmortem, drafted from the findings: what is known stands in it, what is not is left to be written."""

from kit.postmortem.actions import Action
from kit.postmortem.draft import Postmortem, draft_postmortem
from kit.postmortem.markdown import TO_FILL

__all__ = ["TO_FILL", "Action", "Postmortem", "draft_postmortem"]
