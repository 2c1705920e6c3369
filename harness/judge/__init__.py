"""What the guest said, turned into outcomes, and outcomes into verdicts. All of it is pure."""
