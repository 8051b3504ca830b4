"""The contract of Segue as generated code; see proto/segue/v1."""
