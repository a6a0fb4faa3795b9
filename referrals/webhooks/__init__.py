"""Delivery of webhooks to endpoints that are run by others."""
