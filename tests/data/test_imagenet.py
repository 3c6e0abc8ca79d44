"""imagenet: images by class in the data folder, and torchvision's networks, on a few tiny files of the same form."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_imagenet import grey, put_images

from course_utils.data import DataError, imagenet
from course_utils.data.imagenet import pretrained
from course_utils.data.sources import checksum
from course_utils.data.vision import import_torchvision


def test_folders_named_by_classes_are_read_in_turn(tmp_path: Path) -> None:
    put_images(tmp_path, {"goldfish": 2, "tench": 1, "zebra": 3})
    images = imagenet.imagenet(grey, root=tmp_path)
    assert [label for _, label in images.files] == [0, 1, 340, 1, 340, 340]
    assert images.note == "a sample of 6 of 50,000 images"
    (x, y), (x_last, y_last) = images.batches(4)
    assert x.shape == (4, 3, 2, 2)
    assert y.tolist() == [0, 1, 340, 1]
    assert len(x_last) == len(y_last) == 2
    assert x[0, 0, 0, 0] == pytest.approx(60 / 255, abs=0.01)  # tench was put there second
    assert [label for _, label in images[::2].files] == [0, 340, 340]
    again = imagenet.imagenet(grey, root=put_images(tmp_path / "copy", {"goldfish": 2, "tench": 1, "zebra": 3}))
    assert again.checksum == images.checksum != images[::2].checksum


def test_a_thousand_wordnet_numbers_stand_for_the_classes_in_their_order(tmp_path: Path) -> None:
    names = [f"n{1440764 + 7 * i:08}" for i in range(1000)]
    put_images(tmp_path, {name: int(i in (3, 999)) for i, name in enumerate(names)})
    assert [label for _, label in imagenet.imagenet(grey, root=tmp_path).files] == [3, 999]


@pytest.mark.parametrize("name", ["n01440764", "my dog"])
def test_a_folder_that_is_no_class_is_refused(tmp_path: Path, name: str) -> None:
    put_images(tmp_path, {"tench": 1, name: 1})
    with pytest.raises(DataError, match=f"got 2 folders, among them '{name}'"):
        imagenet.imagenet(grey, root=tmp_path)


def test_without_images_a_sentence_says_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no imagenet/val"):
        imagenet.imagenet(grey, root=tmp_path)
    put_images(tmp_path, {"tench": 0})
    with pytest.raises(DataError, match="hold no images"):
        imagenet.imagenet(grey, root=tmp_path)


def test_weights_are_verified_by_the_sum_in_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = import_torchvision().models.get_model("squeezenet1_1", weights=None)
    folder = tmp_path / "imagenet" / "weights"
    folder.mkdir(parents=True)
    torch.save(model.state_dict(), folder / "draft.pth")
    name = f"squeezenet-{checksum(folder / 'draft.pth')[:8]}.pth"
    (folder / "draft.pth").rename(folder / name)
    weights = SimpleNamespace(url=f"https://localhost/{name}", transforms=lambda: grey)
    monkeypatch.setattr(imagenet, "_weights", lambda _: weights)
    loaded, transform = pretrained("squeezenet1_1", root=tmp_path)
    assert transform is grey
    assert not loaded.training
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), model.parameters(), strict=True))
    (folder / name).write_bytes(b"torn")
    with pytest.raises(DataError, match="is damaged"):
        pretrained("squeezenet1_1", root=tmp_path)


def test_every_network_of_the_figure_has_published_weights_of_its_own() -> None:
    names = ("alexnet", "vgg16", "vgg19", "resnet18", "resnet34", "resnet50", "inception_v3")
    published = {name: imagenet._weights(name) for name in names}
    assert len({weights.url for weights in published.values()}) == 7
    assert all(len(weights.url.rsplit("-", 1)[1].removesuffix(".pth")) == 8 for weights in published.values())
    assert published["inception_v3"].transforms().crop_size == [299]
