"""Stubs and servicers of ``proto/armada/binoculars.proto``, under the module name that ``armada-client`` gives them."""

from airflow_armada.api.services import registration, servicer_class, stub_class

BinocularsStub = stub_class("binoculars.Binoculars")
BinocularsServicer = servicer_class("binoculars.Binoculars")
add_BinocularsServicer_to_server = registration("binoculars.Binoculars")
