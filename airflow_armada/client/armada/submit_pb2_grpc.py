"""Stubs and servicers of ``proto/armada/submit.proto``, under the module name that ``armada-client`` gives them."""

from airflow_armada.api.services import registration, servicer_class, stub_class

SubmitStub = stub_class("api.Submit")
SubmitServicer = servicer_class("api.Submit")
add_SubmitServicer_to_server = registration("api.Submit")

QueueServiceStub = stub_class("api.QueueService")
QueueServiceServicer = servicer_class("api.QueueService")
add_QueueServiceServicer_to_server = registration("api.QueueService")

RetryPolicyServiceStub = stub_class("api.RetryPolicyService")
RetryPolicyServiceServicer = servicer_class("api.RetryPolicyService")
add_RetryPolicyServiceServicer_to_server = registration("api.RetryPolicyService")
