"""The demo: three fictional clinics that live through 26 weeks, through the same services as the API."""
