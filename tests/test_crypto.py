"""Seals, wrapped keys and signatures follow their standards and notice every change."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody import crypto

KEY = bytes(range(32))


def test_unseal_opens_the_published_vector_of_aes_gcm() -> None:
    """Test case 16 of McGrew and Viega, The Galois/Counter Mode of Operation, appendix B."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    plaintext = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    sealed = bytes([1]) + bytes.fromhex(
        "cafebabefacedbaddecaf888"
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    associated = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    assert crypto.unseal(key, sealed, associated_data=associated) == plaintext


@pytest.mark.parametrize(
    ("wrapping", "key", "wrapped"),
    [  # RFC 3394, 4.1, 4.2, 4.5 and 4.6
        ("000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF",
         "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"),
        ("000102030405060708090A0B0C0D0E0F1011121314151617", "00112233445566778899AABBCCDDEEFF",
         "96778B25AE6CA435F92B5B97C050AED2468AB8A17AD84E5D"),
        ("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
         "00112233445566778899AABBCCDDEEFF0001020304050607",
         "A8F9BC1612C68B3FF6E6F4FBE30E71E4769C8B80A32CB8958CD5D17D6B254DA1"),
        ("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
         "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F",
         "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"),
    ],
)  # fmt: skip
def test_key_wrap_gives_the_vectors_of_rfc_3394(wrapping: str, key: str, wrapped: str) -> None:
    assert crypto.wrap_key(bytes.fromhex(wrapping), bytes.fromhex(key)).hex().upper() == wrapped
    assert crypto.unwrap_key(bytes.fromhex(wrapping), bytes.fromhex(wrapped)).hex().upper() == key


@pytest.mark.parametrize(
    ("private", "public", "message", "signature"),
    [  # RFC 8032, 7.1, tests 1 to 3
        ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
         "be24655141438e7a100b"),
        ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb430"
         "2aeeb00d291612bb0c00"),
        ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716e"
         "d28dc027beceea1ec40a"),
    ],
)  # fmt: skip
def test_signatures_are_those_of_rfc_8032(private: str, public: str, message: str, signature: str) -> None:
    assert crypto.public_key(bytes.fromhex(private)).hex() == public
    assert crypto.sign(bytes.fromhex(private), bytes.fromhex(message)).hex() == signature
    crypto.verify(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_is_sealed_opens_again(plaintext: bytes, associated: bytes) -> None:
    sealed = crypto.seal(KEY, plaintext, associated_data=associated)
    assert crypto.unseal(KEY, sealed, associated_data=associated) == plaintext
    assert len(sealed) == len(plaintext) + 29
    assert sealed[0] == 1


def test_the_same_plaintext_is_never_sealed_the_same_way_twice() -> None:
    assert len({crypto.seal(KEY, b"x")[1:13] for _ in range(200)}) == 200


@settings(max_examples=200)
@given(st.binary(max_size=60), st.integers(0, 10**6), st.integers(1, 255))
def test_every_changed_byte_is_noticed(plaintext: bytes, at: int, mask: int) -> None:
    sealed = bytearray(crypto.seal(KEY, plaintext, associated_data=b"case"))
    sealed[at % len(sealed)] ^= mask
    with pytest.raises((crypto.UnsealError, crypto.SealVersionError)):
        crypto.unseal(KEY, bytes(sealed), associated_data=b"case")


def test_every_cut_key_and_purpose_is_noticed() -> None:
    sealed = crypto.seal(KEY, b"secret", associated_data=b"case-1")
    for size in range(len(sealed)):
        with pytest.raises(crypto.UnsealError):
            crypto.unseal(KEY, sealed[:size], associated_data=b"case-1")
    for key, associated in ((KEY, b"case-2"), (KEY, b""), (bytes(32), b"case-1")):
        with pytest.raises(crypto.UnsealError) as caught:
            crypto.unseal(key, sealed, associated_data=associated)
        assert caught.value.code == "crypto.unseal_failed"
        assert "secret" not in str(caught.value) and caught.value.__cause__ is None
    with pytest.raises(crypto.SealVersionError):
        crypto.unseal(KEY, b"\x02" + sealed[1:], associated_data=b"case-1")


@given(st.integers(2, 12), st.integers(0, 10**6), st.integers(1, 255))
def test_wrapped_keys_come_back_and_notice_changes(words: int, at: int, mask: int) -> None:
    key = bytes(range(8 * words))
    wrapped = bytearray(crypto.wrap_key(KEY, key))
    assert crypto.unwrap_key(KEY, bytes(wrapped)) == key
    wrapped[at % len(wrapped)] ^= mask
    with pytest.raises(crypto.UnwrapError):
        crypto.unwrap_key(KEY, bytes(wrapped))


@given(st.binary(max_size=100), st.integers(0, 63), st.integers(1, 255))
def test_signatures_notice_changes(message: bytes, at: int, mask: int) -> None:
    private, public = crypto.generate_signing_key()
    signature = crypto.sign(private, message)
    crypto.verify(public, message, signature)
    changed = bytearray(signature)
    changed[at] ^= mask
    for bad_message, bad_signature in ((message, bytes(changed)), (message + b"x", signature), (message, b"")):
        with pytest.raises(crypto.SignatureInvalidError):
            crypto.verify(public, bad_message, bad_signature)
    with pytest.raises(crypto.SignatureInvalidError):
        crypto.verify(crypto.generate_signing_key()[1], message, signature)


def test_keys_of_the_wrong_size_are_typed_errors() -> None:
    for size in (0, 15, 16, 31, 33):
        with pytest.raises(crypto.KeyInvalidError):
            crypto.seal(bytes(size), b"")
        with pytest.raises(crypto.KeyInvalidError):
            crypto.unseal(bytes(size), bytes(40))
        with pytest.raises(crypto.KeyInvalidError):
            crypto.sign(bytes(size), b"")
        with pytest.raises(crypto.KeyInvalidError):
            crypto.verify(bytes(size), b"", bytes(64))
    with pytest.raises(crypto.KeyInvalidError):
        crypto.wrap_key(bytes(17), KEY)
    with pytest.raises(crypto.KeyInvalidError):
        crypto.unwrap_key(bytes(17), KEY)
    for size in (0, 8, 15, 17):
        with pytest.raises(crypto.KeyInvalidError):
            crypto.wrap_key(KEY, bytes(size))
    for size in (0, 8, 16, 23, 25):
        with pytest.raises(crypto.UnwrapError):
            crypto.unwrap_key(KEY, bytes(size))


def test_new_keys_are_new() -> None:
    assert len({crypto.generate_key() for _ in range(50)}) == 50
    assert len(crypto.generate_key()) == crypto.KEY_BYTES
    assert len({crypto.generate_signing_key() for _ in range(20)}) == 20


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20 + 7])
def test_a_file_is_hashed_in_pieces(size: int, tmp_path: Path) -> None:
    data = bytes(k % 251 for k in range(1000)) * (size // 1000 + 1)
    path = tmp_path / "file"
    path.write_bytes(data[:size])
    assert crypto.sha256_file(path) == crypto.sha256_file(str(path)) == hashlib.sha256(data[:size]).hexdigest()


def test_a_file_that_cannot_be_read_is_a_typed_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(crypto.HashingError) as caught:
            crypto.sha256_file(path)
        assert caught.value.exit_code == 74


def test_equal_compares_bytes_and_text() -> None:
    assert crypto.equal(b"abc", b"abc") and crypto.equal("ä", "ä") and crypto.equal("a", b"a")
    assert not crypto.equal(b"abc", b"abd") and not crypto.equal("a", "") and not crypto.equal("ä", "a")
