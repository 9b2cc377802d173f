"""Client of Cartwheel, a product recommender: events in, recommendations out."""

from cartwheel_client.aio import AsyncCartwheel
from cartwheel_client.client import Cartwheel
from cartwheel_client.error import CartwheelError
from cartwheel_client.token import shopper_token

__all__ = ["AsyncCartwheel", "Cartwheel", "CartwheelError", "shopper_token"]
