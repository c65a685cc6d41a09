"""Word vectors: the files, sentences and back, and that a prior on them learns a language."""

from pathlib import Path

import numpy as np
import pytest
import torch

from symbolic.datasets.words import WordVectors, read_word_vectors, words_of
from symbolic.errors import NotebeamError
from symbolic.estimators.rnade import Rnade, RnadeOptions
from symbolic.evaluation.likelihood import padded_batches
from symbolic.priors.rnn import RnnOptions, RnnPrior

GLOVE = "the 0.5 1 -2\ncat 1e-3 0 4\n. . 0 0 1\n"


def text(folder: Path, content: str) -> Path:
    (folder / "v.txt").write_text(content, encoding="utf-8")
    return folder / "v.txt"


def test_text_of_glove_and_word2vec_is_read(tmp_path: Path) -> None:
    words = read_word_vectors(text(tmp_path, GLOVE))
    assert words.words == ("the", "cat", ". .")  # GloVe's largest file has words with blanks
    np.testing.assert_allclose(words.vectors, [[0.5, 1, -2], [1e-3, 0, 4], [0, 0, 1]])
    again = read_word_vectors(text(tmp_path, "3 3\n" + GLOVE))
    np.testing.assert_array_equal(again.vectors, words.vectors)
    assert again.words == words.words
    assert read_word_vectors(text(tmp_path, "3 3\n" + GLOVE), limit=2).words == ("the", "cat")


def test_a_matrix_with_its_words_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", words=np.array(["a", "b"]), vectors=np.eye(2, 5))
    words = read_word_vectors(tmp_path / "v.npz")
    assert words.words == ("a", "b") and words.vectors.dtype == np.float32
    assert read_word_vectors(tmp_path / "v.npz", limit=1).vectors.tolist() == [[1, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"v\.txt: got 'no words'"),
        ("a 1 2\nb 1\n", r"v\.txt line 2: got 'b 1', expected a word and 2 numbers"),
        ("a 1 2\nb 1 x\n", r"v\.txt line 2: got 'b 1 x', expected a word and 2 numbers"),
        ("a\n", r"v\.txt line 1: got 'a', expected a word and 1 numbers"),
        ("1\n", r"v\.txt line 1: got '1', expected a word and 1 numbers"),
        ("a 1 2\na 3 4\n", r"v\.txt: WordVectors\.words: got 'a', expected each word once"),
        ("a 1 2\nb nan 4\n", r"v\.txt: WordVectors 'b': got 'nan or infinity'"),
    ],
)
def test_damaged_text_is_refused_by_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(NotebeamError, match=message):
        read_word_vectors(text(tmp_path, content))


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes(b"a \xff\xfe 1 2\n")
    with pytest.raises(NotebeamError, match=r"v\.txt: got 'bytes that are not text'"):
        read_word_vectors(tmp_path / "v.txt")
    np.savez(tmp_path / "v.npz", words=np.array(["a"]))
    with pytest.raises(NotebeamError, match=r"v\.npz: vectors: got 'no such array'"):
        read_word_vectors(tmp_path / "v.npz")
    (tmp_path / "v.npz").write_bytes(b"PK")
    with pytest.raises(NotebeamError, match=r"v\.npz: got 'a damaged archive"):
        read_word_vectors(tmp_path / "v.npz")


def random_words(count: int, size: int, seed: int = 0) -> WordVectors:
    vectors = np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)
    return WordVectors(tuple(f"w{index}" for index in range(count)), vectors)


def test_a_vector_is_decoded_to_the_word_of_largest_cosine() -> None:
    words, rng = random_words(50, 6), np.random.default_rng(1)
    queries = rng.standard_normal((2500, 6)).astype(np.float32)
    unit = [vector / np.sqrt((vector.astype(float) ** 2).sum()) for vector in words.vectors]
    expected = [f"w{int(np.argmax([float(vector @ u) for u in unit]))}" for vector in queries]
    assert words.nearest(queries) == expected
    sentence = ["w3", "w0", "w49"]
    assert words.nearest(0.01 * words.sequence(sentence)) == sentence
    assert words.nearest(np.zeros((0, 6), dtype=np.float32)) == []


def test_unknown_words_are_an_error_or_left_out() -> None:
    words = random_words(3, 4)
    with pytest.raises(NotebeamError, match=r"sequence: got 'dog', expected one of the 3 words"):
        words.sequence(["w1", "dog"])
    np.testing.assert_array_equal(words.sequence(["w1", "dog", "w2"], unknown="skip"), words.vectors[1:])
    with pytest.raises(NotebeamError, match=r"nearest: got \(2, 3\), expected shape \(N, 4\)"):
        words.nearest(np.zeros((2, 3), dtype=np.float32))


def test_standardised_dimensions_have_mean_zero_and_deviation_one() -> None:
    vectors = random_words(30, 4).vectors * [1, 10, 0.1, 0] + [5, 0, 0, 7]
    words = WordVectors(tuple("abcdefghijklmnopqrstuvwxyz1234"), vectors.astype(np.float32)).standardized()
    np.testing.assert_allclose(words.vectors.mean(0), np.zeros(4), atol=1e-5)
    np.testing.assert_allclose(words.vectors.std(0), [1, 1, 1, 0], atol=1e-5)


def test_a_sentence_is_words_and_marks() -> None:
    assert words_of("It's late, Äpfel!") == ["it", "'", "s", "late", ",", "äpfel", "!"]


NAMES, ANIMALS, FOODS = ("ann", "bob"), ("cat", "dog", "cow"), ("fish", "meat", "grass")


def sentences(count: int, seed: int) -> list[list[str]]:
    """ "the cat of ann eats fish .": the food follows from the animal, two words earlier than its verb."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        animal, name = rng.integers(3), rng.integers(2)
        found.append(["the", ANIMALS[animal], "of", NAMES[name], "eats", FOODS[animal], "."])
    return found


def test_an_lstm_rnade_on_word_vectors_finds_the_next_word_better_than_frequency() -> None:
    vocabulary = ("the", "of", "eats", ".", *NAMES, *ANIMALS, *FOODS)
    vectors = np.random.default_rng(0).standard_normal((len(vocabulary), 6)).astype(np.float32)
    words = WordVectors(vocabulary, vectors).standardized()
    torch.manual_seed(0)
    prior = RnnPrior(
        "lstm",
        RnnOptions(visible=6, units=32),
        lambda visible: Rnade(visible, RnadeOptions(hidden=16, components=3, least_sd=0.1)),
    )
    prior.initialise_from_marginals(torch.zeros(6))
    (batch,) = padded_batches([words.sequence(sentence) for sentence in sentences(32, seed=1)])
    optimizer, generator = torch.optim.Adam(prior.parameters(), lr=0.04), torch.Generator().manual_seed(0)
    for _ in range(160):
        objective, _ = prior.chunk_objective(prior.initial_state(32), *batch, generator)
        optimizer.zero_grad()
        (-objective.sum() / batch[1].sum()).backward()
        torch.nn.utils.clip_grad_norm_(prior.parameters(), 5.0)
        optimizer.step()
    # What can be known: all but the animal (1 of 3) and the name (1 of 2), so (5 + 1/3 + 1/2) / 7 = 0.83 on
    # average; the most frequent words are each a seventh. A cold sample is decoded to the nearest word.
    tests, hits, foods = sentences(40, seed=2), 0, 0
    state = prior.initial_state(40)
    for t in range(7):
        decoded = words.nearest(prior.sample(state, generator, temperature=0.1).numpy())
        right = [word == sentence[t] for word, sentence in zip(decoded, tests, strict=True)]
        hits, foods = hits + sum(right), foods + (sum(right) if t == 5 else 0)
        with torch.no_grad():
            steps = torch.from_numpy(np.concatenate([words.sequence([s[t]]) for s in tests]))
            state = prior.advance(state, steps)
    assert hits / 280 > 0.7 > 1 / 7
    assert foods / 40 > 0.9  # remembered over three words; by frequency a third
