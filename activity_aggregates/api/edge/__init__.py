"""What happens to every request, whatever it asks: bounds, envelope, refusals, logs, figures."""
