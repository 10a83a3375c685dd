"""The JSON routes: parse, call one verb, shape the answer."""
