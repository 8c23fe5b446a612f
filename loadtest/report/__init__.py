"""The report: measured data in, ``report.pdf`` out, the same bytes for the same data.

=========== ================================================================
command     the command line: build, costs, journey, screens
sources     what is in ``results/``: runs, sweeps, searches, costs, journey
facts       settings and limits, read from the manifest and the code
figures     every number that the text shows: formatted once, noted with its source
charts      matplotlib to SVG, one look for all
diagram     the architecture, drawn from the manifest
document    templates and style to PDF
measure     what the load lab does not measure: costs, one message's journey
=========== ================================================================
"""
