"""What computes: protocols that speaking talks to, and the engines behind them."""
