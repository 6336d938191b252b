"""Hospital formats: DICOM in and out, FHIR out."""
