"""The report: sessions as one HTML file without a reference to anything outside of it."""
