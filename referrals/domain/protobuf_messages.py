"""Protobuf messages that are declared in code, without generated modules."""

from collections.abc import Mapping

from google.protobuf import descriptor_pb2, struct_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

STRUCT = "google.protobuf.Struct"

FieldSpec = tuple[int, str]
"""Number and type of a field. The type is a scalar, a message, or `list(…)` of either."""


def declare_messages(
    package: str, messages: Mapping[str, Mapping[str, FieldSpec]]
) -> DescriptorPool:
    """Return a pool with the messages, which may refer to each other."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto",
        package=package,
        syntax="proto2",
        dependency=[struct_pb2.DESCRIPTOR.name],
    )
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            message.field.append(_field(package, field, number, kind))
    pool = DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _field(package: str, name: str, number: int, kind: str) -> FieldDescriptorProto:
    label = FieldDescriptorProto.LABEL_OPTIONAL
    if kind.startswith("list("):
        kind, label = kind[5:-1], FieldDescriptorProto.LABEL_REPEATED
    field = FieldDescriptorProto(name=name, number=number, label=label)
    if kind[0].islower() and "." not in kind:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    else:
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{kind}" if "." in kind else f".{package}.{kind}"
    return field
