"""What people do with jobs: submit, run, cancel, retry, reorder, clear."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from uuid import UUID

from app.dispatcher import Dispatcher
from app.errors import ConflictError, InvalidRequestError, NotFoundError
from app.events import JobNodesProgressed
from app.ledger import Ledger
from app.live import LiveRuns
from app.models import AUTO, DEMO, Image, Job, JobState, Preview, Progress
from app.paid import Budget
from app.ports import Clock, ImageStore, JobChange, JobFilter, JobStore, Page
from app.ranking import rank_between, ranks_after
from app.runner import Runner
from app.said import Said
from app.submission import Submission
from app.submitting import PAGE, Asker, Offer, Submitting
from app.views import BoardView, JobView, QueueView, Say, job_view

_REMOVED = Said("Was it removed from the list?")
_ONE_OF_THREE = Said("Give exactly one of before, after and priority.")
_NO_NEIGHBOUR = Said("The other job does not wait, so nothing can be put beside it.")
_FINISHED = frozenset(state for state in JobState if state.is_terminal)


class JobService:
    """Everything the pages and the API do with jobs."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: JobStore,
        images: ImageStore,
        live: LiveRuns,
        runner: Runner,
        dispatcher: Dispatcher,
        submitting: Submitting,
        budget: Budget,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._images = images
        self._live = live
        self._runner = runner
        self._dispatcher = dispatcher
        self._submitting = submitting
        self._budget = budget
        self._clock = clock
        self._ranking = submitting.ranking

    async def submit(
        self, submission: Submission, *, client: str = "", source: str = PAGE
    ) -> list[Job]:
        """Make the jobs of one submission: on disk, and waiting, when this returns.

        Raises: what `Submitting.submit` does.
        """
        asker = Asker(client=client, source=source)
        ids = await self._submitting.submit(submission, asker=asker)
        return [await self.get(job_id) for job_id in ids]

    async def get(self, job_id: UUID) -> Job:
        """The job.

        Raises:
            NotFoundError: there is none with that id.
        """
        job = self._ledger.unfinished.get(job_id) or await self._store.get(job_id)
        if job is None:
            raise NotFoundError(Said("There is no job {id}.", id=job_id), fix=_REMOVED)
        return job

    async def page(
        self, job_filter: JobFilter, *, limit: int, cursor: int | None = None
    ) -> Page[Job]:
        """Jobs newest first."""
        return await self._store.page(job_filter, limit=limit, cursor=cursor)

    async def run(self, job_id: UUID) -> Job:
        """Let a held job go.

        Raises:
            ConflictError: it is not held.
        """
        now = self._clock.now()

        def step(job: Job) -> JobChange:
            _require(
                job.state is JobState.CREATED, Said("The job is not held, so it cannot be run.")
            )
            released = job.to(
                JobState.QUEUED, queued_at=now, failure=None, losses=0, lost_on=(), ahead_on=None
            )
            return JobChange(job=released, note="Released by Run")

        return await self._ledger.change(job_id, step)

    async def cancel(self, job_id: UUID) -> Job:
        """Stop a job wherever it is: at once if it waits here, else as soon as its backend, where
        it runs or waits, has confirmed that.

        Raises:
            ConflictError: it has finished already.
        """
        now = self._clock.now()

        def step(job: Job) -> JobChange:
            _require(not job.state.is_terminal, Said("The job has finished already."))
            if _is_there(job):
                asked = job.changed(cancel_requested=True)
                return JobChange(job=asked, note="Cancel requested", event="job.cancel_requested")
            cancelled = job.to(JobState.CANCELLED, finished_at=now, not_before=None, failure=None)
            return JobChange(job=cancelled, note="Cancelled")

        job = await self._ledger.change(job_id, step)
        if _is_there(job):
            self._runner.cancel(job_id)
        return job

    async def run_elsewhere(self, job_id: UUID) -> Job:
        """Let a waiting job go to any backend that can take it, instead of the one it names.

        Raises:
            ConflictError: it does not wait, or may go anywhere already.
        """

        def step(job: Job) -> JobChange:
            waits = job.state is JobState.QUEUED and job.ahead_on is None
            _require(waits, Said("The job does not wait any more."))
            named = job.request.target not in (AUTO, DEMO)
            _require(named, Said("The job names no backend, so there is nowhere else."))
            request = replace(job.request, target=AUTO)
            note = f"May go elsewhere than to {job.request.target}"
            return JobChange(job=job.changed(request=request), note=note, event="job.elsewhere")

        return await self._ledger.change(job_id, step)

    async def price_of_retry(self, job_id: UUID) -> Offer | None:
        """What a retry would cost that nobody has agreed to yet; None if there is nothing to ask.

        Raises:
            NotFoundError: there is no such job.
            InvalidRequestError: its model has no price any more.
        """
        quote = await self._budget.quote_again(await self.get(job_id))
        if quote is None:
            return None
        return Offer(quote=quote, count=1, is_allowed=self._budget.is_allowed)

    async def retry(self, job_id: UUID, *, confirmed: bool = False) -> Job:
        """Queue a failed or cancelled job again, at the end, with all its attempts.

        `confirmed` agrees to its price, where it has one.

        Raises:
            ConflictError: it neither failed nor was cancelled; or it would be paid for anew, and
                that is not confirmed or switched off.
            InvalidRequestError: its model has no price any more.
        """
        found = await self.get(job_id)
        _require_retryable(found)
        await self._submitting.recall(found.request.preset)
        price = await self._budget.agree_again(found, confirmed=confirmed)
        now = self._clock.now()
        rank = ""

        def step(job: Job) -> JobChange:
            _require_retryable(job)
            again = job.to(
                JobState.QUEUED,
                terms=replace(job.terms, confirmed_usd=price),
                rank=rank,
                attempts=0,
                losses=0,
                lost_on=(),
                failed_on=(),
                ahead_on=None,
                placement=None,
                notices=(),
                cancel_requested=False,
                failure=None,
                not_before=None,
                queued_at=now,
                started_at=None,
                finished_at=None,
            )
            return JobChange(job=again, note="Retried")

        async with self._ranking:
            rank = ranks_after(self._ledger.last_rank, count=1)[0]
            return await self._ledger.change(job_id, step)

    async def move(
        self,
        job_id: UUID,
        *,
        before: UUID | None = None,
        after: UUID | None = None,
        priority: int | None = None,
    ) -> Job:
        """Put a waiting job right before or after another (in that one's priority), or at the
        end of another priority.

        Raises:
            ConflictError: it, or the other, does not wait.
            InvalidRequestError: not exactly one of the three was given.
        """
        given = [each for each in (before, after, priority) if each is not None]
        if len(given) != 1:
            raise InvalidRequestError("before", _ONE_OF_THREE)
        rank, level = "", 0

        def step(job: Job) -> JobChange:
            _require(
                job.state in (JobState.QUEUED, JobState.CREATED),
                Said("The job does not wait any more."),
            )
            moved = job.changed(rank=rank, priority=level)
            return JobChange(job=moved, note="Moved in the queue", event="job.moved")

        other = before or after
        async with self._ranking:
            rank, level = await self._destination(job_id, other, before is not None, priority)
            return await self._ledger.change(job_id, step)

    async def remove(self, job_id: UUID) -> None:
        """Take a finished job off the list; its images stay.

        Raises:
            ConflictError: it has not finished.
        """
        job = await self.get(job_id)
        _require(job.state.is_terminal, Said("The job has not finished; cancel it first."))
        await self._ledger.remove([job_id])

    async def restore(self, job_ids: Sequence[UUID]) -> list[UUID]:
        """Put removed jobs back on the list; which they were."""
        images = await self._images.of_jobs(list(job_ids))
        return await self._ledger.restore(job_ids, images=images)

    async def clear_finished(self) -> list[UUID]:
        """Take every finished job off the list; which they were. `restore` undoes it."""
        return await self._ledger.remove(await self._store.finished_ids())

    async def cancel_waiting(self) -> int:
        """Cancel every queued job; how many there were."""
        return await self._each(self._ledger.unfinished.ids(JobState.QUEUED), self.cancel)

    async def cancel_many(self, job_ids: Sequence[UUID]) -> int:
        """Cancel those of the jobs that have not finished; how many there were."""
        return await self._each(job_ids, self.cancel)

    async def retry_many(self, job_ids: Sequence[UUID]) -> int:
        """Retry those of the jobs that failed or were cancelled; how many there were.

        Those that somebody would have to pay for are left out: each asks for itself.
        """
        return await self._each(job_ids, self.retry)

    async def pause(self) -> QueueView:
        """Take no more jobs from the queue; running ones finish. Also after a restart."""
        await self._ledger.set_paused(True)
        return self.queue()

    async def resume(self) -> QueueView:
        """Go on."""
        await self._ledger.set_paused(False)
        return self.queue()

    def queue(self) -> QueueView:
        """The queue in three figures."""
        queued, running = self._ledger.counts()
        return QueueView(paused=self._ledger.paused, queued=queued, running=running)

    async def board(self, *, finished: int = 50, say: Say = str) -> BoardView:
        """All unfinished jobs in queue order, then the newest finished ones."""
        unfinished = self._ledger.unfinished.all()
        page = await self._store.page(JobFilter(states=_FINISHED), limit=finished)
        images = await self._images.of_jobs([job.id for job in page.items])
        views = [self.view(job, say=say) for job in unfinished]
        views += [self.view(job, images.get(job.id, ()), say=say) for job in page.items]
        return BoardView(jobs=views, queue=self.queue(), has_more=page.next_cursor is not None)

    def view(self, job: Job, images: Sequence[Image] = (), *, say: Say = str) -> JobView:
        """A job for the wire, with what is known of it in memory.

        Sentences are in English unless `say` puts them into another language.
        """
        running = job.state is JobState.RUNNING
        return job_view(
            job,
            images=images,
            progress=self._live.progress(job.id) if running else None,
            previews=self._live.previews(job.id) if running else (),
            position=self._ledger.unfinished.position(job),
            reason=self._live.silence(job.id) if running else self._dispatcher.reason(job),
            say=say,
            called=self._submitting.called(job.request.preset),
        )

    async def detail(self, job_id: UUID, *, say: Say = str) -> JobView:
        """A job for the wire, with its images and its log."""
        job = await self.get(job_id)
        images = await self._images.of_jobs([job_id])
        events = await self._store.log(job_id)
        logs = [f"{event.at:%Y-%m-%dT%H:%M:%SZ} {event.note}" for event in events if event.note]
        view = self.view(job, images.get(job_id, ()), say=say)
        cost = await self._budget.cost_of(job)
        return view.model_copy(update={"logs": logs, "cost_usd": cost})

    async def views(self, jobs: Sequence[Job], *, say: Say = str) -> list[JobView]:
        """Several jobs for the wire, with their images."""
        images = await self._images.of_jobs([job.id for job in jobs])
        return [self.view(job, images.get(job.id, ()), say=say) for job in jobs]

    async def group(self, group_id: UUID, *, say: Say = str) -> list[JobView]:
        """The jobs of a group for the wire, also those that were taken off the list."""
        jobs = (await self._store.of_groups([group_id])).get(group_id, [])
        return await self.views(jobs, say=say)

    def progress_of(self, job_id: UUID) -> Progress | None:
        """How far a running job is."""
        return self._live.progress(job_id)

    def nodes(self, job_id: UUID) -> JobNodesProgressed | None:
        """How far each node of a running job is."""
        return self._live.nodes(job_id)

    def watching(self, job_id: UUID) -> AbstractContextManager[None]:
        """While it lasts, `JobNodesProgressed` tells of the nodes of that job."""
        return self._live.watching(job_id)

    def preview(self, job_id: UUID, rev: int | None = None) -> Preview | None:
        """The newest preview of a running job, or the one with that number while it is kept."""
        kept = self._live.previews(job_id)
        if rev is None:
            return kept[-1] if kept else None
        return next((each for each in kept if each.rev == rev), None)

    async def _destination(
        self, job_id: UUID, other_id: UUID | None, is_before: bool, priority: int | None
    ) -> tuple[str, int]:
        if priority is not None:
            return ranks_after(self._ledger.last_rank, count=1)[0], priority
        other = await self.get(other_id) if other_id is not None else None
        if other is None or other.id == job_id or other.state is not JobState.QUEUED:
            raise ConflictError(_NO_NEIGHBOUR)
        lower, upper = self._ledger.unfinished.neighbour_ranks(other, without=job_id)
        if is_before:
            return rank_between(lower, other.rank), other.priority
        return rank_between(other.rank, upper), other.priority

    async def _each(self, job_ids: Sequence[UUID], act: Callable[[UUID], Awaitable[Job]]) -> int:
        done = 0
        for job_id in job_ids:
            try:
                await act(job_id)
            except (ConflictError, NotFoundError, InvalidRequestError):
                continue  # changed meanwhile, or never fitting: what is asked for is true already
            done += 1
        return done


def _is_there(job: Job) -> bool:
    """A backend has it, or may have it."""
    return job.state is JobState.RUNNING or job.ahead_on is not None


def _require_retryable(job: Job) -> None:
    retryable = job.state in (JobState.FAILED, JobState.CANCELLED)
    _require(retryable, Said("Only failed and cancelled jobs are retried."))


def _require(condition: bool, why_not: str) -> None:
    if not condition:
        raise ConflictError(why_not)
