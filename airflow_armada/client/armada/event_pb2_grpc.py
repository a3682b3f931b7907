"""Stubs and servicers of ``proto/armada/event.proto``, under the module name that ``armada-client`` gives them."""

from airflow_armada.api.services import registration, servicer_class, stub_class

EventStub = stub_class("api.Event")
EventServicer = servicer_class("api.Event")
add_EventServicer_to_server = registration("api.Event")
