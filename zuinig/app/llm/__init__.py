"""PORT: a language model is a langchain-core `BaseChatModel`.

An adapter is a module named as the part of ZUINIG_LLM before the colon, with `build(settings, model) -> BaseChatModel`.
Retries, timeouts over the whole stream and fencing are done once, in `app/prompt` and `app/answer`, not here.
"""
