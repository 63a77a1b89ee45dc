"""Search as a langchain-core retriever, for chains that other code builds."""

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from zuinig.retrieval.search import Search


class ZuinigRetriever(BaseRetriever):
    """`ZuinigRetriever(search=..., k=5).invoke("question")` -> documents, best first."""

    search: Any  # zuinig.retrieval.search.Search; pydantic cannot check a plain class
    k: int = 5
    shelves: list[int] | None = None  # ids of those to look on; None for all

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        search: Search = self.search
        return [
            Document(
                id=str(hit.passage_id),
                page_content=hit.text,
                metadata={
                    "document_id": hit.document_id,
                    "title": hit.title,
                    "version": hit.version,
                    "page": hit.page,
                    "start": hit.start,
                    "end": hit.end,
                    "score": hit.score,
                },
            )
            for hit in search.search(query, self.k, shelves=self.shelves)
        ]
