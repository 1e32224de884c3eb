"""The slices of config that nodes read, made of a study and an environment; :mod:`lang_persona.resolve` joins them.

A slice is plain data and holds nothing that its node does not read, so that its recipe key covers exactly what the node
depends on. Slices of publishing and planning are made where they are read (:mod:`lang_persona.publishing.slices`,
:mod:`lang_persona.planning.sizes`).
"""
