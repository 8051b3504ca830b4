package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// A message contains up to 16 MiB of audio; the default limit of gRPC is 4 MiB.
const maxMessageBytes = 32 << 20

// UNAVAILABLE is worth another attempt. Streams are left out: gRPC's retries can lose messages of a stream.
const retryPolicy = `{"methodConfig": [{
	"name": [
		{"service": "segue.v1.ClassificationService", "method": "Classify"},
		{"service": "segue.v1.RecommendationService", "method": "Recommend"},
		{"service": "segue.v1.CatalogService"}
	],
	"retryPolicy": {
		"maxAttempts": 4,
		"initialBackoff": "0.2s",
		"maxBackoff": "5s",
		"backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE"]
	}
}]}`

// connect returns a connection, which is made at the first call.
//
// With a file of root certificates it is encrypted. gRPC refuses to send a token in plain text.
func connect(address, ca, token string) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if ca != "" {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(ca, ""); err != nil {
			return nil, err
		}
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(retryPolicy),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallSendMsgSize(maxMessageBytes),
			grpc.MaxCallRecvMsgSize(maxMessageBytes),
			// A call is repeated only if its message fits in this buffer, by default 256 KiB.
			grpc.MaxRetryRPCBufferSize(maxMessageBytes)),
	}
	if token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(token)))
	}
	return grpc.NewClient(address, options...)
}

// bearer is a token that is sent with every call.
type bearer string

func (token bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(token)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }
