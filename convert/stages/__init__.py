"""One file a stage; a stage is a frozen dataclass, Artifact → Artifact."""
