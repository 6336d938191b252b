"""What is shown where no method is named, and what stands beside every heat map."""

DEFAULT_METHOD = "hirescam"
MEANING = "A heat map shows what moved the network, not why the lesion is what it is."
