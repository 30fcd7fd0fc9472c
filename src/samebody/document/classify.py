"""Say what kind of document this is, from the layout of its machine-readable zone, its code and its issuer."""

from __future__ import annotations

from samebody.document.codes import state_name
from samebody.document.types import DocumentClass, DocumentKind, MrzFormat, MrzReading

WORDS = {
    DocumentKind.PASSPORT: "passport",
    DocumentKind.IDENTITY_CARD: "identity card",
    DocumentKind.CREW_CERTIFICATE: "crew member certificate",
    DocumentKind.VISA: "visa",
    DocumentKind.RESIDENCE_PERMIT: "residence permit",
    DocumentKind.OTHER: "travel document",
}
PASSPORT_WORDS = {
    "PD": "diplomatic passport",
    "PO": "official passport",
    "PS": "service passport",
    "PE": "emergency passport",
    "PR": "refugee travel document",
    "PT": "alien's travel document",
    "PU": "seafarer's passport",
}


def kind_of(layout: MrzFormat, code: str) -> DocumentKind:
    """The kind by layout and document code without fillers (Doc 9303-4 to -7, note on document codes).

    ``AC`` is a crew member certificate; ``AR``, ``CR`` and ``IR`` are what issuers use for residence permits; ``V`` is
    a visa; ``P`` a passport, book or card; any other ``A``, ``C`` or ``I`` an identity card.
    """
    if layout in (MrzFormat.MRV_A, MrzFormat.MRV_B) or code[:1] == "V":
        return DocumentKind.VISA
    if code == "AC":
        return DocumentKind.CREW_CERTIFICATE
    if code in ("AR", "CR", "IR"):
        return DocumentKind.RESIDENCE_PERMIT
    if code[:1] == "P":
        return DocumentKind.PASSPORT
    if code[:1] in ("I", "A", "C"):
        return DocumentKind.IDENTITY_CARD
    return DocumentKind.OTHER


def classify(mrz: MrzReading) -> DocumentClass:
    """The class of the document that ``mrz`` was read from."""
    code, issuer = mrz.fields["document_code"].value, mrz.fields["issuing_state"].value
    kind = kind_of(mrz.format, code)
    name = state_name(issuer) or ""
    words = PASSPORT_WORDS.get(code, WORDS[kind]) if kind is DocumentKind.PASSPORT else WORDS[kind]
    label = f"{words} of {name}" if name else f"{words} of an unlisted issuer"
    return DocumentClass(kind, mrz.format, code, issuer, name, label)
