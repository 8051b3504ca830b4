package main

import (
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
)

// describe returns an error as text. For an error of the server it begins with the reason, by which a program decides
// what to do, and says when a repeated call may succeed.
func describe(err error) string {
	failed, ok := status.FromError(err)
	if !ok {
		return err.Error()
	}
	reason := failed.Code().String()
	lines := []string{}
	for _, detail := range failed.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			reason = detail.Reason
			lines = append(lines, "request id: "+detail.Metadata["request_id"])
		case *errdetails.BadRequest:
			for _, field := range detail.FieldViolations {
				lines = append(lines, "field: "+field.Field)
			}
		case *errdetails.RetryInfo:
			lines = append(lines, fmt.Sprintf("try again in %v", detail.RetryDelay.AsDuration()))
		}
	}
	return strings.Join(append([]string{reason + ": " + failed.Message()}, lines...), "\n")
}
