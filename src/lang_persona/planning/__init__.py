"""What a run would take and what it could show, from config alone: nothing is read, asked or trained.

``sizes`` counts cells, rows and completions, ``effects`` says what such numbers can show, ``costs`` how long they take
and what they cost, and ``page`` writes it down.
"""
