"""Stubs and servicers of ``proto/armada/job.proto``, under the module name that ``armada-client`` gives them."""

from airflow_armada.api.services import registration, servicer_class, stub_class

JobsStub = stub_class("api.Jobs")
JobsServicer = servicer_class("api.Jobs")
add_JobsServicer_to_server = registration("api.Jobs")
