"""The library over HTTP: bring workflows in, save, compare, run, export and bring in again."""

import io
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from PIL import Image as Pillow

from app.events import WorkflowChanged
from app.models import JobState
from tests.support.http import Api, api, problem, stream
from tests.support.running import until, until_job

GRAPH: dict[str, Any] = {
    "1": {
        "class_type": "CheckpointLoaderSimple",
        "inputs": {"ckpt_name": "demo-painter.safetensors"},
    },
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red fox", "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "blur", "clip": ["1", 1]}},
    "4": {
        "class_type": "EmptyLatentImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1},
    },
    "5": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 7,
            "steps": 2,
            "cfg": 6.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 1.0,
            "model": ["1", 0],
            "positive": ["2", 0],
            "negative": ["3", 0],
            "latent_image": ["4", 0],
        },
    },
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "x"}},
}


def with_steps(steps: int) -> dict[str, Any]:
    """The graph with another number of steps."""
    sampler = {**GRAPH["5"], "inputs": {**GRAPH["5"]["inputs"], "steps": steps}}
    return {**GRAPH, "5": sampler}


async def ready(app: Api) -> None:
    """Until it is known which nodes the demo engine has."""
    await until(app.services, lambda: app.services.known_nodes.schemas.get("KSampler") is not None)


async def taken(app: Api, *, name: str = "Fox", graph: Mapping[str, Any] = GRAPH) -> str:
    """A workflow in the library; its id."""
    answer = await app.http.post(
        "/api/workflows/import", params={"name": name}, content=json.dumps(graph)
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def run(app: Api, workflow_id: str, **parameters: Any) -> UUID:
    """A job of it that is done."""
    body = {"workflow_id": workflow_id, "parameters": parameters, "backend_id": "demo"}
    answer = await app.http.post("/api/job", json=body)
    assert answer.status_code == 202, answer.text
    job_id = UUID(answer.json()["job_id"])
    await until_job(app.services, job_id, JobState.DONE)
    return job_id


async def test_a_graph_that_is_brought_in_gets_a_form_and_runs_with_its_values(
    home: Path,
) -> None:
    async with api(home) as app:
        await ready(app)
        answer = await app.http.post(
            "/api/workflows/import", params={"name": "Fox.json"}, content=json.dumps(GRAPH)
        )
        made = answer.json()
        full = (await app.http.get(f"/api/workflows/{made['id']}")).json()
        job_id = await run(app, made["id"], prompt="a blue hare", steps=3, seed=11, width=128)
        job = (await app.http.get(f"/api/jobs/{job_id}")).json()
        (image,) = (await app.http.get("/api/images", params={"jobId": str(job_id)})).json()[
            "images"
        ]
        await until_shown(app, made["id"], image["id"])
        listed = (await app.http.get("/api/workflows")).json()["workflows"]
        sent = app.services.presets.get(made["id"])

    assert answer.status_code == 201
    assert set(made) == {"id", "name", "apiJson", "report"}
    assert made["name"] == "Fox"
    assert made["apiJson"]["5"]["inputs"] == GRAPH["5"]["inputs"]
    assert [each for each in made["report"] if each["severity"] == "error"] == []
    names = {each["name"]: each for each in full["parameters"]}
    assert "demo-painter.safetensors" in names["checkpoint"]["choices"]
    assert set(names) >= {"prompt", "negative_prompt", "seed", "steps", "cfg", "width", "height"}
    assert (job["workflowId"], job["workflowVersion"]) == (made["id"], 1)
    assert job["workflowName"] == made["name"]
    assert (image["workflowId"], image["workflowVersion"]) == (made["id"], 1)
    assert (image["width"], image["height"]) == (128, 64)
    assert (job["params"]["steps"], job["params"]["seed"]) == (3, 11)
    assert (job["prompt"], job["negativePrompt"]) == ("a blue hare", "blur")
    assert sent is not None
    assert sent.name == "Fox"
    assert [each["thumbnail"] for each in listed] == [image["id"]]


async def until_shown(app: Api, workflow_id: str, image_id: str) -> None:
    """Until the image stands for the workflow."""
    with app.services.bus.subscribe(WorkflowChanged) as inbox:
        while (await app.services.workflows.get(UUID(workflow_id))).thumbnail != UUID(image_id):
            await inbox.wait()
            inbox.drain()


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"frames": 3}, "parameters.frames", "no option"),
    ({"vae": "x.safetensors"}, "parameters.vae", "takes no vae"),
    ({"steps": 10_001}, "parameters.steps", "10000"),
    ({"cfg": 101}, "parameters.cfg", "100"),
    ({"denoise": "much"}, "parameters.denoise", "number"),
    ({"prompt": 3}, "parameters.prompt", "string"),
]


async def test_a_job_is_refused_by_the_parameter_that_does_not_fit(home: Path) -> None:
    async with api(home) as app:
        await ready(app)
        workflow_id = await taken(app)
        for parameters, field, told in REFUSED:
            body = {"workflow_id": workflow_id, "parameters": parameters}
            (error,) = problem(await app.http.post("/api/job", json=body), 422)["errors"]
            assert error["field"] == field
            assert told in error["message"]


async def test_alternatives_are_drawn_for_each_job_before_the_prompt_reaches_its_node(
    home: Path,
) -> None:
    async with api(home) as app:
        folder = app.services.settings.wildcards_dir
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "weather.txt").write_text("snow\n", encoding="utf-8")
        await ready(app)
        made = await taken(app)
        prompt = "a {red|blue} fox in the __weather__"
        single = await run(app, made, prompt=prompt)
        body = {
            "backend": "demo",
            "workflowId": made,
            "prompt": prompt,
            "count": 4,
            "params": {"seed": 1},
        }
        answer = await app.http.post("/api/generate", json=body)
        assert answer.status_code == 202, answer.text
        listed = [UUID(each) for each in answer.json()["jobIds"]]
        for job_id in listed:
            await until_job(app.services, job_id, JobState.DONE)
        jobs = [await app.services.jobs.get(each) for each in (single, *listed)]
        graphs = [await ran(app, each.id) for each in jobs]

    drawn = [each.request.prompt for each in jobs]
    assert set(drawn) == {"a red fox in the snow", "a blue fox in the snow"}
    assert [graph["2"]["inputs"]["text"] for graph in graphs] == drawn
    assert all(graph["3"]["inputs"]["text"] == "blur" for graph in graphs)


async def ran(app: Api, job_id: UUID) -> dict[str, Any]:
    """The graph that a job was made by, as its picture has it."""
    listed = await app.http.get("/api/images", params={"jobId": str(job_id)})
    (image,) = listed.json()["images"]
    file = await app.http.get(image["url"])
    with Pillow.open(io.BytesIO(file.content)) as picture:
        return json.loads(picture.text["prompt"])  # type: ignore[attr-defined]


async def test_a_workflow_that_is_not_there_is_not_found(home: Path) -> None:
    nobody = str(uuid4())
    async with api(home) as app:
        problem(await app.http.get(f"/api/workflows/{nobody}"), 404)
        problem(await app.http.put(f"/api/workflows/{nobody}", json={"name": "x"}), 404)
        problem(await app.http.delete(f"/api/workflows/{nobody}"), 404)
        problem(await app.http.post(f"/api/workflows/{nobody}/restore"), 404)
        problem(await app.http.post(f"/api/workflows/{nobody}/export"), 404)
        problem(await app.http.get("/api/backends/nobody/workflows"), 404)
        problem(await app.http.post("/api/workflows/import?template=nothing"), 404)
        body = {"workflow_id": nobody, "parameters": {}}
        problem(await app.http.post("/api/job", json=body), 404)
        body["workflow_id"] = f"{nobody}@3"
        problem(await app.http.post("/api/job", json=body), 404)


async def test_versions_are_kept_compared_and_brought_back(home: Path) -> None:
    async with api(home) as app:
        await ready(app)
        workflow_id = await taken(app)
        place = f"/api/workflows/{workflow_id}"
        changed = await app.http.put(
            place, json={"document": with_steps(9), "note": "more steps", "tags": ["fox"]}
        )
        old = (await app.http.get(place, params={"version": 1})).json()
        new = (await app.http.get(place)).json()
        compared = (await app.http.get(f"{place}/compare", params={"old": 1, "new": 2})).json()
        restored = await app.http.post(f"{place}/restore", params={"version": 1})
        versions = (await app.http.get(f"{place}/versions")).json()["versions"]
        newest = (await app.http.get(place)).json()
        problem(await app.http.get(place, params={"version": 9}), 404)

    assert (changed.json()["version"], changed.json()["tags"]) == (2, ["fox"])
    assert old["apiJson"]["5"]["inputs"]["steps"] == 2
    assert new["apiJson"]["5"]["inputs"]["steps"] == 9
    assert compared["changed"] == ["5"]
    assert [each["about"] for each in compared["changes"]] == ["value"]
    assert restored.json()["version"] == 3
    assert newest["apiJson"] == old["apiJson"]
    assert [(each["number"], each["author"]) for each in versions] == [
        (3, "you"),
        (2, "you"),
        (1, "you"),
    ]
    assert versions[1]["note"] == "more steps"


async def test_a_version_without_a_form_of_its_own_keeps_the_form_it_had(home: Path) -> None:
    async with api(home) as app:
        await ready(app)
        workflow_id = await taken(app)
        address = f"/api/workflows/{workflow_id}"
        document = (await app.http.get(address)).json()["document"]
        (steps,) = (
            each
            for each in document["extra"]["orchestrator"]["parameters"]
            if each["name"] == "steps"
        )
        document["extra"]["orchestrator"]["parameters"] = [{**steps, "label": "How long"}]
        await app.http.put(address, json={"document": document})
        await app.http.put(address, json={"document": with_steps(9)})
        after = (await app.http.get(address)).json()

    assert after["version"] == 3
    assert after["apiJson"]["5"]["inputs"]["steps"] == 9
    assert [(each["name"], each["label"]) for each in after["parameters"]] == [
        ("steps", "How long")
    ]


async def test_a_page_that_draws_sees_what_is_saved_beside_it(home: Path) -> None:
    async with api(home) as app:
        await ready(app)
        workflow_id = await taken(app)
        draft = await app.services.drafts.open(UUID(workflow_id))
        await app.http.put(f"/api/workflows/{workflow_id}", json={"document": with_steps(9)})

        assert draft.diagram.root.nodes["5"].values["steps"] == 9
        assert (draft.base, draft.dirty) == (2, False)


async def test_whoever_listens_hears_of_workflows_while_others_draw(home: Path) -> None:
    async with api(home) as app, stream(app.asgi, "/api/events") as events:
        await events.start()
        workflow_id = await taken(app)
        made = await events.until("workflow.created")
        draft = await app.services.drafts.open(UUID(workflow_id))
        draft.replace(replace(draft.diagram, parameters=()))
        await app.http.put(f"/api/workflows/{workflow_id}", json={"name": "Hares"})
        edited = await events.until("workflow.edited")

    assert json.loads(made["data"])["workflowId"] == workflow_id
    assert int(edited["id"]) > int(made["id"])


async def test_what_is_deleted_comes_back_and_its_jobs_run_meanwhile(home: Path) -> None:
    async with api(home) as app:
        await ready(app)
        workflow_id = await taken(app)
        place = f"/api/workflows/{workflow_id}"
        held = await app.generate(
            "a fox", backend="demo", workflowId=workflow_id, params={"steps": 1}, hold=True
        )
        assert (await app.http.delete(place)).status_code == 204
        problem(await app.http.get(place), 404)
        gone = (await app.http.get("/api/workflows")).json()["workflows"]
        trash = (await app.http.get("/api/workflows?deleted=true")).json()["workflows"]
        body = {"workflow_id": workflow_id, "parameters": {}}
        problem(await app.http.post("/api/job", json=body), 404)

        await app.http.post(f"/api/jobs/{held}/run")
        await until_job(app.services, held, JobState.DONE)
        back = await app.http.post(f"{place}/restore")
        await run(app, workflow_id, steps=1)

    assert gone == []
    assert [each["id"] for each in trash] == [workflow_id]
    assert (back.json()["id"], back.json()["deletedAt"]) == (workflow_id, None)


async def test_a_job_of_an_old_version_runs_as_that_version_after_a_restart(home: Path) -> None:
    async with api(home) as app:
        await ready(app)
        workflow_id = await taken(app)
        held = await app.generate(
            "a fox", backend="demo", workflowId=workflow_id, params={}, hold=True
        )
        await app.http.put(f"/api/workflows/{workflow_id}", json={"document": with_steps(9)})

    async with api(home) as app:
        await app.http.post(f"/api/jobs/{held}/run")
        await until_job(app.services, held, JobState.DONE)
        again = await app.generate("a hare", backend="demo", workflowId=f"{workflow_id}@1")
        newest = await app.generate("a hare", backend="demo", workflowId=workflow_id, params={})
        jobs = [(await app.http.get(f"/api/jobs/{each}")).json() for each in (held, again, newest)]

    assert [each["workflowVersion"] for each in jobs] == [1, 1, 2]
    assert [each["params"]["steps"] for each in jobs] == [2, 2, 9]


async def test_each_export_comes_in_again_as_the_same_workflow(home: Path) -> None:
    async with api(home) as app:
        await ready(app)
        workflow_id = await taken(app)
        first = (await app.http.get(f"/api/workflows/{workflow_id}")).json()
        for as_format, mime in (
            ("ui", "application/json"),
            ("api", "application/json"),
            ("png", "image/png"),
        ):
            out = await app.http.post(
                f"/api/workflows/{workflow_id}/export", params={"format": as_format}
            )
            assert (out.status_code, out.headers["content-type"]) == (200, mime)
            assert "Fox" in out.headers["content-disposition"]
            back = await app.http.post("/api/workflows/import", content=out.content)
            again = (await app.http.get(f"/api/workflows/{back.json()['id']}")).json()
            assert again["apiJson"] == first["apiJson"], as_format
            if as_format != "api":
                assert again["document"] == first["document"], as_format
            if as_format == "png":
                with Pillow.open(io.BytesIO(out.content)) as picture:
                    assert json.loads(picture.info["workflow"]) == first["document"]
                    assert json.loads(picture.info["prompt"]) == first["apiJson"]


async def test_what_is_drawn_is_exported_before_it_is_saved_and_beside_what_is(
    home: Path,
) -> None:
    async with api(home) as app:
        await ready(app)
        workflow_id = await taken(app)
        draft = await app.services.drafts.open(UUID(workflow_id))
        sampler = next(
            id for id, each in draft.diagram.root.nodes.items() if "steps" in each.values
        )
        draft.apply("", [{"op": "value", "id": sampler, "name": "steps", "value": 9}])
        steps: list[int] = []
        for query in ({}, {"draft": "true"}):
            out = await app.http.get(
                f"/api/workflows/{workflow_id}/export", params={"format": "api", **query}
            )
            steps.append(out.json()[sampler]["inputs"]["steps"])
        picture = await app.http.get(
            f"/api/workflows/{workflow_id}/export", params={"format": "png", "draft": "true"}
        )
        back = await app.http.post("/api/workflows/import", content=picture.content)
        blank = (await app.http.post("/api/workflows", json={"name": "Blank"})).json()
        unsaved = await app.http.get(
            f"/api/workflows/{blank['id']}/export", params={"draft": "true"}
        )

    assert steps == [2, 9]
    assert "draft" in picture.headers["content-disposition"]
    assert back.json()["apiJson"][sampler]["inputs"]["steps"] == 9
    assert (unsaved.status_code, unsaved.json()["nodes"]) == (200, [])


NO_WORKFLOWS = {
    "nothing": b"",
    "no text": b"\x00\xff",
    "empty": b"{}",
    "deep": b"[" * 100_000,
    "no nodes": b'{"nodes": 3}',
    "damaged": b"\x89PNG\r\n\x1a\nbroken",
}


async def test_what_is_no_workflow_leaves_the_library_untouched(home: Path) -> None:
    async with api(home) as app:
        for name, body in NO_WORKFLOWS.items():
            answer = await app.http.post("/api/workflows/import", content=body)
            assert problem(answer, 422)["errors"][0]["field"] == "file", name
        assert (await app.http.get("/api/workflows")).json()["workflows"] == []


async def test_more_than_fifty_megabytes_are_not_read(home: Path) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 2**20
            yield b" " * 2**20

    async with api(home) as app:
        problem(await app.http.post("/api/workflows/import", content=endless()), 413)
        problem(await app.http.post("/api/workflows", content=endless()), 413)

    assert sent < 70 * 2**20


async def test_a_picture_of_the_gallery_brings_the_workflow_it_was_made_by(home: Path) -> None:
    async with api(home) as app:
        await ready(app)
        workflow_id = await taken(app)
        job_id = await run(app, workflow_id, prompt="a blue hare")
        await app.http.put(f"/api/workflows/{workflow_id}", json={"document": with_steps(9)})
        (image,) = (await app.http.get("/api/images", params={"jobId": str(job_id)})).json()[
            "images"
        ]
        answer = await app.http.post("/api/workflows/import", params={"image": image["id"]})
        preset = await app.picture("an owl")
        other = await app.http.post("/api/workflows/import", params={"image": preset["id"]})

    assert answer.status_code == other.status_code == 201
    assert answer.json()["name"] == "a blue hare"
    made_by = answer.json()["apiJson"]
    assert made_by["5"]["inputs"]["steps"] == 2
    assert made_by["5"]["inputs"]["seed"] == image["seed"]
    assert made_by["2"]["inputs"]["text"] == "a blue hare"  # as it was made, not as it was drawn
    texts = [each["inputs"].get("text") for each in other.json()["apiJson"].values()]
    assert "an owl" in texts


async def test_templates_are_found_and_taken(home: Path) -> None:
    async with api(home) as app:
        await ready(app)
        found = (await app.http.get("/api/templates", params={"q": "sdxl"})).json()["templates"]
        needs = (await app.http.get(f"/api/templates/{found[0]['name']}")).json()
        taken_in = await app.http.post(
            "/api/workflows/import", params={"template": found[0]["name"]}
        )
        nothing = (await app.http.get("/api/templates", params={"q": "qwxyz"})).json()

    assert needs["template"] == found[0]
    assert "KSampler" in needs["classes"] or needs["classes"]
    assert set(needs["missingClasses"]) <= set(needs["classes"])
    assert taken_in.json()["name"] == found[0]["title"]
    assert nothing["templates"] == []


async def test_validation_names_the_node_and_says_where_it_runs(home: Path) -> None:
    strange = {**GRAPH, "8": {"class_type": "Мельница", "inputs": {"images": ["6", 0]}}}
    async with api(home) as app:
        await ready(app)
        fine = await app.http.post(f"/api/workflows/{await taken(app)}/validate")
        place = f"/api/workflows/{await taken(app, graph=strange)}/validate"
        odd = (await app.http.post(place, params={"backendId": "demo"})).json()
        problem(await app.http.post(place, params={"backendId": "nobody"}), 404)

    assert fine.json()["ok"] is True
    assert [each["standing"] for each in fine.json()["backends"]] == ["ok"]
    assert [each["nodeId"] for each in odd["findings"] if "class" in each["code"]] == ["8"]
    assert [each["standing"] for each in odd["backends"]] == ["lacks"]


async def test_workflows_are_named_found_and_copied(home: Path) -> None:
    async with api(home) as app:
        await ready(app)
        fox = await taken(app)
        empty = (
            await app.http.post("/api/workflows", json={"name": "  Ночь  🌙 ", "tags": ["b", "b"]})
        ).json()
        copy = await app.http.post(f"/api/workflows/{fox}/duplicate", json={"name": "Fox 2"})
        await app.http.put(f"/api/workflows/{fox}", json={"description": "for hunts"})
        found: list[list[str]] = []
        for query in ({"q": "НОЧЬ"}, {"tag": "b"}, {"q": "hunts fox"}):
            answer = await app.http.get("/api/workflows", params=query)
            found.append([each["name"] for each in answer.json()["workflows"]])
        problem(await app.http.post("/api/workflows", json={"name": " \n "}), 422)
        problem(await app.http.post("/api/workflows", json={"name": "a\x00b"}), 422)
        refused = await app.http.post(
            "/api/workflows", json={"name": "x", "document": {"nodes": "no"}}
        )
        problem(refused, 422)
        presets = (await app.http.get("/api/presets")).json()["presets"]

    assert (empty["name"], empty["tags"], empty["version"]) == ("Ночь 🌙", ["b"], 0)
    assert found == [["Ночь 🌙"], ["Ночь 🌙"], ["Fox"]]
    assert (copy.status_code, copy.json()["version"]) == (201, 1)
    saved = [(each["name"], each["version"]) for each in presets if each["version"]]
    assert saved == [("Fox", 1), ("Fox 2", 1)]
