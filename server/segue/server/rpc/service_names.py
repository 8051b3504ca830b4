"""Full names of the gRPC services."""

from __future__ import annotations

from segue.v1 import (
    catalog_service_pb2,
    classification_service_pb2,
    feedback_service_pb2,
    recommendation_service_pb2,
)

CLASSIFICATION = classification_service_pb2.DESCRIPTOR.services_by_name["ClassificationService"].full_name
RECOMMENDATION = recommendation_service_pb2.DESCRIPTOR.services_by_name["RecommendationService"].full_name
PLAYLIST = recommendation_service_pb2.DESCRIPTOR.services_by_name["PlaylistService"].full_name
CATALOG = catalog_service_pb2.DESCRIPTOR.services_by_name["CatalogService"].full_name
FEEDBACK = feedback_service_pb2.DESCRIPTOR.services_by_name["FeedbackService"].full_name
SERVICES = (CLASSIFICATION, RECOMMENDATION, PLAYLIST, CATALOG, FEEDBACK)


def service_of(method: str) -> str:
    """Returns the full name of the service of a method, such as "/segue.v1.CatalogService/GetStatus"."""
    return method.strip("/").partition("/")[0]
