"""Think and show: the method, a module a concept. Importing it defines names and does nothing else."""

__distribution__ = "incident-notebook-kit"
