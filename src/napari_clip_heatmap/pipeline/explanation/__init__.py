"""Why a map has the value it has: contributions of layers and heads, and what heads look for."""
