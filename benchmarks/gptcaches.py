"""GPTCache with SQLite, FAISS and its distance evaluation, at its defaults but for room. It commits at each lookup and
each reply kept: with TMPDIR on a RAM disk that costs next to nothing.
"""

from collections.abc import Callable
from pathlib import Path

from gptcache import Cache, Config
from gptcache.manager import CacheBase, VectorBase, get_data_manager
from gptcache.processor.pre import get_prompt
from gptcache.similarity_evaluation import SearchDistanceEvaluation

from zuinig.retrieval.embed import Vectors

DEFAULT_THRESHOLD = Config().similarity_threshold


def open_cache(
    folder: Path, embed: Callable[[str], Vectors], dimension: int, *, room: int, threshold: float = DEFAULT_THRESHOLD
) -> Cache:
    """embed: a question -> (d,). room: for so many questions. threshold: 0 to 1, of the score that serves."""
    rows = CacheBase("sqlite", sql_url=f"sqlite:///{folder / 'gptcache.db'}")
    index = VectorBase("faiss", dimension=dimension, index_path=str(folder / "gptcache.index"))
    manager = get_data_manager(rows, index, max_size=room)
    # It would write its index once more when the interpreter ends, where no folder is any more.
    manager.close = lambda: None
    cache = Cache()
    cache.init(
        pre_embedding_func=get_prompt,
        embedding_func=lambda question, **_: embed(question),
        data_manager=manager,
        similarity_evaluation=SearchDistanceEvaluation(),
        config=Config(similarity_threshold=threshold),
    )
    return cache
