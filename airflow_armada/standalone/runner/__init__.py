"""Pods as local processes: what starts them, watches them, keeps their logs and ends them."""
